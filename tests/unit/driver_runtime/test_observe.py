"""Observation: one program per host, one document back, and a typed fault for everything else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from driver import hostprogram, observe
from driver.errors import Unreachable

from .conftest import fleet_of


def program(wanted: dict[str, object] | None) -> str:
    document = json.dumps({"drift": {}, "facts": {}, "not_understood": []})
    return f"print({document!r})" if wanted is not None else ""


@pytest.mark.usefixtures("stubs")
def test_every_host_answers_or_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "build_program", program)
    heard: list[str] = []
    seen = observe.observe(fleet_of(tmp_path, "node1", "greets2", "asks3", "refused4"), 20, heard.append)
    assert set(seen.docs) == {"node1", "greets2"}
    assert {name: found.kind for name, found in seen.faults.items()} == {
        "asks3": "sudo asks for a password",
        "refused4": "connection refused",
    }
    assert sorted(heard) == ["asks3", "greets2", "node1", "refused4"]
    with pytest.raises(Unreachable, match=r"asks3: .*\nrefused4: "):
        seen.require_all()


@pytest.mark.usefixtures("stubs")
def test_no_file_of_the_login_folder_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stray file was imported')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    fleet = fleet_of(tmp_path, "node1")
    seen = observe.observe(replace(fleet, hosts=(replace(fleet.hosts[0], wanted={}),)), 60)
    assert seen.faults == {}


@pytest.mark.usefixtures("stubs")
@pytest.mark.parametrize("printed", ["print('no document')", "print('{\"half\": ')", "print('[1]')", "pass"])
def test_garbage_is_a_fault_that_shows_what_came(tmp_path: Path, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "build_program", lambda _: printed)
    seen = observe.observe(fleet_of(tmp_path, "node1"), 20)
    assert seen.faults["node1"].kind == "no document"


def test_the_program_observes_this_machine_by_itself(tmp_path: Path, stubs: Path) -> None:
    assert "observe_and_compare" in hostprogram.build_program({})
    assert stubs.is_dir()
    fleet = fleet_of(tmp_path, "node1")
    seen = observe.observe(replace(fleet, hosts=(replace(fleet.hosts[0], wanted={}),)), 60)
    assert seen.faults == {}
    assert {"os", "docker", "npu"} <= seen.docs["node1"]["facts"].keys()
