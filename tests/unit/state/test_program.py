"""The program as it is sent to hosts: whole, self-contained, one line of JSON, and it changes nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from driver.hostprogram import SOURCES, build_program
from plugins.module_utils.state import npu, program, workers

HERE = Path(__file__).parent
FILES = sorted(SOURCES.glob("*.py"))
SLOW = {"typing", "http.client", "urllib.request", "logging", "shutil", "dataclasses", "pathlib", "platform", "email"}

WRITING = {
    f"os.{name}"
    for name in (
        "unlink",
        "remove",
        "rename",
        "replace",
        "mkdir",
        "makedirs",
        "chmod",
        "chown",
        "symlink",
        "utime",
        "kill",
    )
}

# the lock that keeps two monitors apart needs its folder
PERMITTED = {("npu.py", "os.mkdir")}


def run(text: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-I", "-"], input=text, capture_output=True, text=True, check=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    return dict(json.loads(lines[0]))


def test_without_wishes_it_only_observes() -> None:
    document = run(build_program(None))
    assert (document["schema"], document["drift"]) == (1, {})
    assert document["facts"]["os"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert document["facts"]["memory"]["total_bytes"] > 0
    assert document["boot"]["id"].partition(":")[0]


def test_with_wishes_it_names_the_host_and_its_drift() -> None:
    wanted = json.loads((HERE / "converged.json").read_text(encoding="utf-8"))["wanted"]
    wanted["model_store"]["models"][0]["path"] = "/no/such/model'\"\\"
    document = run(build_program(wanted))
    assert document["host"] == "node1"
    assert document["drift"]["model_store"][0]["reason"].startswith("/no/such/model'\"\\ does not exist")


def test_the_document_has_every_fact_that_others_read() -> None:
    facts = run(build_program(None))["facts"]
    assert set(facts) >= {
        "os", "memory", "disk", "account", "commands", "kernel_headers", "apt_sources", "npu", "npu_driver",
        "npu_firmware",
        "reboot", "holders", "docker", "ascend_docker_runtime", "models", "ray", "services",
    }  # fmt: skip
    assert set(facts["npu"]) >= {"pci", "nodes", "control_nodes", "smi"}
    assert set(facts["npu"]["smi"]) >= {"path", "version", "chips", "processes", "error", "code"}
    assert set(facts["npu_driver"]) >= {"installed", "running", "complete", "install_info", "installer_running"}


def test_an_area_that_fails_loses_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a host that nobody foresaw")

    monkeypatch.setattr(npu, "pci", broken)
    document = program.observe_and_compare({})
    assert {"area": "pci", "text": "RuntimeError: a host that nobody foresaw"} in document["not_understood"]
    assert document["facts"]["os"]["kernel"]


def test_a_question_that_takes_too_long_gives_its_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LIMIT_SECONDS", 0.05)
    notes, gate = workers.Notes(), threading.Event()
    assert workers.Worker(notes, "slow", "fallback", gate.wait).result() == "fallback"
    assert notes.entries[0]["area"] == "slow"
    gate.set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_slow_is_loaded_and_nothing_is_written(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    loaded = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    loaded |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom) and not node.level}
    assert not loaded & SLOW
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "open":
            mode = ast.literal_eval(node.args[1]) if len(node.args) > 1 else "r"
            assert not set(mode) & set("wax+"), f"{path}:{node.lineno}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in WRITING or (path.name, called) in PERMITTED, f"{path}:{node.lineno}"
