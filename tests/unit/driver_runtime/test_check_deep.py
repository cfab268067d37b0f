"""`check --deep`: who is asked for it, what is collected with it, and the matrix in check.json."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from driver import compliance, paths, render, resolve
from driver.fleet import Fleet

DEEP = "test_every_rail_reaches_every_host"


def network(third: int) -> dict[str, Any]:
    return {"addresses": [f"10.20.0.{third * 10 + number + 1}" for number in range(8)], "netmask": "255.255.255.0"}


def rendered(folder: Path, hosts: int) -> Path:
    """Return the rendered inventory of the lab's site with *hosts* hosts whose ports have addresses."""
    data = yaml.safe_load((paths.INVENTORIES / "lab/site.yml").read_text(encoding="utf-8"))
    data["hosts"] = [{**host, "npu_network": network(number)} for number, host in enumerate(data["hosts"][:hosts])]
    del data["services"], data["models"]
    (folder / "site.yml").write_text(yaml.safe_dump(data), encoding="utf-8")
    render.render(resolve.load(folder))
    return folder / "rendered"


def collected(inventory: Path, *words: str) -> str:
    module = paths.ROOT / "tests/compliance/test_npu_network.py"
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(module)]
    done = subprocess.run(
        [*command, f"--rendered={inventory}", *words], cwd=paths.ROOT, capture_output=True, text=True, check=False
    )
    # not its code: a suite that has looked at no host is red
    assert "tests collected" in done.stdout, done.stdout + done.stderr
    return done.stdout


def test_pings_are_collected_with_deep_and_two_hosts_only(tmp_path: Path) -> None:
    inventory = rendered(tmp_path, 2)
    assert DEEP not in collected(inventory)
    assert collected(inventory, "--deep").count(DEEP) == 2
    assert DEEP not in collected(rendered(tmp_path, 1), "--deep")


def test_deep_reaches_the_suite_and_its_matrix_the_result(
    tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh = {"rails": {"0": {"node1": {"node2": "lost"}}}, "verdict": ["x"]}
    document = {"hosts": [], "unreachable": {}, "checks": [], "mesh": mesh}
    script = "import json, sys; print(sys.argv); json.dump(json.loads(sys.argv[2]), open(sys.argv[1], 'w'))"
    monkeypatch.setattr(
        compliance,
        "_command",
        lambda _fleet, _folder, raw, _words: [sys.executable, "-c", script, str(raw), json.dumps(document)],
    )
    result = compliance.check(fleet, tmp_path, deep=True)
    assert "'--deep'" in (tmp_path / "check.log").read_text(encoding="utf-8")
    assert result.as_json()["mesh"] == json.loads((tmp_path / "check.json").read_text(encoding="utf-8"))["mesh"] == mesh
    compliance.check(fleet, tmp_path)
    assert "'--deep'" not in (tmp_path / "check.log").read_text(encoding="utf-8")
