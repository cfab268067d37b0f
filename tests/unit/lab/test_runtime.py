"""The narrowed container runtime: used where the machine lacks the capability, and taking out just that one."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.lab.site import runtime
from tests.lab.site.errors import LabError

ALL = ["CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_SYS_ADMIN"]
LEFT = ["CAP_CHOWN", "CAP_SYS_ADMIN"]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The runtime as a module, with a program that it may become and a record of becoming it."""
    spec = importlib.util.spec_from_file_location("narrow_runtime", runtime.SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    real = tmp_path / "runc"
    real.touch()
    module.became = []  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "PLACES", (str(real),))
    monkeypatch.setattr(module.os, "execv", lambda path, words: module.became.append((path, words)))
    return module


def bundle(folder: Path) -> Path:
    capabilities = {"bounding": ALL, "effective": ALL, "ambient": None}
    document = {"process": {"args": ["sh"], "capabilities": capabilities}, "root": {"path": "rootfs"}}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("mask", "lacking"),
    [("000001ffffffffff", False), ("000001fffeffffff", True), ("00000000a80425fb", True), ("3fffffffff", False)],
)
def test_the_bounding_set_decides(mask: str, lacking: bool) -> None:
    assert runtime.lacks_sys_resource(f"CapEff:\t{mask}\nCapBnd:\t{mask}\nCapAmb:\t0\n") is lacking


def test_a_machine_without_capabilities_is_refused_by_name() -> None:
    with pytest.raises(LabError, match="no line CapBnd in /proc/self/status"):
        runtime.lacks_sys_resource("Name:\tsh\n")


@pytest.mark.parametrize("spelling", [["--bundle", "@"], ["--bundle=@"], ["-b", "@"]])
def test_create_is_narrowed_and_all_else_is_kept(program: ModuleType, tmp_path: Path, spelling: list[str]) -> None:
    folder = bundle(tmp_path / "bundle")
    words = ["--root", "/r", "create", *(word.replace("@", str(folder)) for word in spelling), "name"]
    program.main(words)
    document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert document["process"]["capabilities"] == {"bounding": LEFT, "effective": LEFT, "ambient": []}
    assert document["root"] == {"path": "rootfs"}
    assert document["process"]["args"] == ["sh"]
    assert program.became == [(program.PLACES[0], ["runc", *words])]


def test_run_without_a_bundle_takes_the_current_folder(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundle(tmp_path / "bundle")
    monkeypatch.chdir(folder)
    program.main(["run", "name"])
    document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert document["process"]["capabilities"]["bounding"] == LEFT


def test_exec_is_narrowed_in_the_process_file(program: ModuleType, tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"args": ["id"], "capabilities": {"bounding": ALL}}), encoding="utf-8")
    program.main(["exec", "--process", str(process), "name"])
    assert json.loads(process.read_text(encoding="utf-8")) == {"args": ["id"], "capabilities": {"bounding": LEFT}}


def test_a_process_without_capabilities_stays_as_it_is(program: ModuleType, tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text('{"args": ["id"]}', encoding="utf-8")
    program.main(["exec", "-p", str(process), "name"])
    assert json.loads(process.read_text(encoding="utf-8")) == {"args": ["id"]}


def test_other_calls_go_straight_through(program: ModuleType) -> None:
    program.main(["state", "name"])
    assert program.became == [(program.PLACES[0], ["runc", "state", "name"])]


def test_a_missing_runc_is_named(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "PLACES", ("/nowhere/runc",))
    assert program.main(["state", "name"]) == 127
    assert "runc was not found in /nowhere/runc; install the Debian package runc" in capsys.readouterr().err


def test_the_installed_program_is_executable_and_runs_on_the_systems_python(tmp_path: Path) -> None:
    target = runtime.install_runtime(tmp_path / "bin" / "runc")
    assert target.stat().st_mode & 0o777 == 0o755
    first, rest = target.read_text(encoding="utf-8").split("\n", 1)
    assert first.startswith("#!/")
    assert first.endswith(" -IS")
    assert rest == runtime.SOURCE.read_text(encoding="utf-8").split("\n", 1)[1]
