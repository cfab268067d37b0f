"""The verbs of the simulated site: what they refuse, what they print, what they leave running."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.__main__ import main, parser, table
from tests.lab.site import command, operations, registry
from tests.lab.site.errors import LabBusyError, LabError, MissingToolError
from tests.lab.site.layout import Layout, default_layout

STATE: dict[str, Any] = {
    "ready": False,
    "engine": {"url": "unix:///e.sock", "ours": True, "version": "20.10.24"},
    "services": [{"name": "hub", "url": "http://10.77.0.2:8080/", "ok": False, "detail": "refused"}],
    "hosts": [
        {"name": "node1", "address": "10.77.0.11", "container": "c", "state": "running", "ssh": True, "detail": ""}
    ],
    "images": {"quay.io/a/b:1": "sha256:0"},
}


def test_the_table_names_what_is_silent_and_why() -> None:
    assert table(STATE).splitlines() == [
        "engine    20.10.24 unix:///e.sock (the lab's own)",
        "hub       SILENT  http://10.77.0.2:8080/  refused",
        "node1     answers 10.77.0.11 running",
        "image     quay.io/a/b:1@sha256:0",
        "not ready; `lab up` makes what is missing",
    ]


def test_a_site_that_is_down_says_how_to_get_it_up() -> None:
    lines = table({"ready": False, "engine": None, "services": [], "hosts": [], "images": {}}).splitlines()
    assert lines[0] == "engine    none answers; run `lab up`"


@pytest.mark.parametrize("words", [[], ["sideways"], ["down", "--hosts", "2"], ["up", "--hosts", "two"]])
def test_a_wrong_call_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(words)
    assert caught.value.code == 2


@pytest.mark.parametrize("hosts", [0, -1, 201])
def test_an_impossible_number_of_servers_is_refused(hosts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(LabError, match=f"--hosts {hosts}: expected 1 to 200"):
        operations._check_machine(hosts)


def test_the_site_is_refused_without_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVISION_LAB", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(command, "stop_children", lambda: None)
    assert main(["up"]) == LabError.exit_code
    assert "Error: the simulated site needs root" in capsys.readouterr().err


def test_a_second_command_at_the_same_time_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(LabBusyError, match="another `lab` command is at work here"), operations._locked(layout):
            pytest.fail("the lock was given twice")


def test_the_folder_of_the_site_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROVISION_LAB", str(tmp_path / "elsewhere"))
    assert default_layout().root == tmp_path / "elsewhere"


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(command, "SEARCH_PATH", "/nowhere")
    with pytest.raises(MissingToolError, match=r"debootstrap, dockerd.*apt-get install .* debootstrap docker.io$"):
        command.require("debootstrap", "dockerd")


def test_a_failing_program_is_shown_with_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"(?s)ended with code 3:\nlast words\n\(all of it: .*/log\)"):
        command.run(["sh", "-c", "echo last words; exit 3"], log=tmp_path / "log")


def test_all_generations_of_children_are_found_and_nobody_else() -> None:
    parents = {10: 1, 11: 10, 12: 11, 20: 1, 13: 10}
    assert command.descendants(10, parents) == [11, 13, 12]


def test_children_are_stopped_and_one_with_its_own_session_stays() -> None:
    plain = subprocess.Popen(["sleep", "60"])
    apart = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        command.stop_children()
        assert plain.wait(timeout=10) < 0
        assert apart.poll() is None
    finally:
        apart.kill()
        apart.wait()


def test_the_lock_file_of_the_site_has_digests_by_upstream_name(tmp_path: Path) -> None:
    target = tmp_path / "lab" / "site.lock"
    registry.write_lock(target, {"quay.io/ascend/vllm-ascend:v1": "sha256:ab"})
    assert yaml.safe_load(target.read_text(encoding="utf-8")) == {
        "images": {"quay.io/ascend/vllm-ascend:v1": "sha256:ab"}
    }
    target.write_text("images: {}\nmodels: {tiny: {revision: abc}}\n", encoding="utf-8")
    registry.write_lock(target, {"quay.io/ascend/vllm-ascend:v1": "sha256:cd"})
    assert yaml.safe_load(target.read_text(encoding="utf-8")) == {
        "images": {"quay.io/ascend/vllm-ascend:v1": "sha256:cd"}, "models": {"tiny": {"revision": "abc"}},
    }  # fmt: skip
    assert [file.name for file in target.parent.iterdir()] == ["site.lock"]
