"""Installers: no terminal, a time limit, the version that they left instead of their word."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import installer
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.processes import running
from plugins.module_utils.converge.progress import Progress


@pytest.fixture
def call(tmp_path: Path) -> Any:
    """Return a function that makes a call of a script with the given lines."""

    def make(script: str, **changes: Any) -> installer.Call:
        path = tmp_path / "package.run"
        path.write_text(script)
        values: dict[str, Any] = {
            "argv": ["bash", str(path)],
            "stdin_text": "",
            "timeout_seconds": 20,
            "success_codes": [0, 2],
            "output_path": str(tmp_path / "log/output.log"),
            "log_paths": [str(tmp_path / "vendor.log")],
            "reboot_codes": [2],
            "reboot_pattern": "reboot",
        }
        return installer.Call(**{**values, **changes})

    return make


@pytest.mark.parametrize(
    ("script", "reboot"),
    [("echo takes effect immediately", False), ("exit 2", True), ("echo Reboot needed to take effect!", True)],
)
def test_a_reboot_is_told_by_code_or_words(call: Any, progress: Progress, script: str, reboot: bool) -> None:
    assert installer.run(call(script), progress)["reboot_needed"] is reboot


def test_a_failure_quotes_the_installer_and_the_vendors_log(call: Any, progress: Progress, tmp_path: Path) -> None:
    (tmp_path / "vendor.log").write_text("first\n[ERROR]ERR_NO:0x0091 no such user\n")
    with pytest.raises(
        RefusedError, match=r"(?s)package.run ended with code 1, expected 0, 2.*failed here.*vendor.log.*ERR_NO:0x0091"
    ):
        installer.run(call("echo failed here; exit 1"), progress)


def test_success_without_the_version_is_a_failure(call: Any, progress: Progress, tmp_path: Path) -> None:
    info = tmp_path / "version.info"
    with pytest.raises(RefusedError, match=r"code 0 but .*version.info says nothing, expected version 2.0"):
        installer.run(call("exit 0", version_file=str(info), version="2.0"), progress)
    info.write_text("Version=2.0\n")
    assert installer.run(call("exit 0", version_file=str(info), version="2.0"), progress)["code"] == 0


def test_a_prompt_on_a_closed_input_ends_with_the_time(call: Any, progress: Progress, tmp_path: Path) -> None:
    script = (
        'sleep 600 & echo $! > "$(dirname "$0")/child"; while true; do read -r answer; echo "[y/n]"; sleep 0.1; done'
    )
    began = time.monotonic()
    with pytest.raises(RefusedError, match=r"(?s)still running after 1 s and was ended.*\[y/n\]"):
        installer.run(call(script, timeout_seconds=1), progress)
    assert time.monotonic() - began < 15
    child = int((tmp_path / "child").read_text())
    assert not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()


def test_what_the_installer_started_in_a_group_of_its_own_ends_with_it(
    call: Any, progress: Progress, tmp_path: Path
) -> None:
    # job control puts every background job into another group, as dkms and its make do
    script = f"set -m; sleep 600 & echo $! > {tmp_path}/child; wait"
    with pytest.raises(RefusedError, match="still running after 1 s and was ended"):
        installer.run(call(script, timeout_seconds=1), progress)
    child = int((tmp_path / "child").read_text())
    assert not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()


def test_an_answer_is_given(call: Any, progress: Progress) -> None:
    found = installer.run(call('read -r answer; echo "you said $answer"', stdin_text="Y\n"), progress)
    assert "you said Y" in str(found["output"])


def test_an_installer_that_does_not_ask_is_content(call: Any, progress: Progress) -> None:
    assert installer.run(call("exec <&-; sleep 0.3", stdin_text="Y\n"), progress)["code"] == 0


def test_colours_are_left_out(call: Any, progress: Progress) -> None:
    found = installer.run(call(r"printf '\033[31mred\033[0m\n'"), progress)
    assert found["output"] == "red"


def test_progress_has_the_last_line_and_goes_with_the_step(call: Any, tmp_path: Path) -> None:
    with Progress("step", "run package", folder=str(tmp_path / "progress")) as progress:
        installer.run(call("echo 40%; sleep 1.5"), progress)
        assert "40%" in (tmp_path / "progress/step.json").read_text()
    assert list((tmp_path / "progress").iterdir()) == []


def test_a_running_installer_is_found_by_its_file(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    for pid, words in {
        "10": ["bash", "/tmp/x-npu-driver_1.run", "--full"],
        "11": ["sh", "-c", "bash /tmp/x-npu-driver_1.run"],
    }.items():
        (proc / pid).mkdir(parents=True)
        (proc / pid / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")
    (proc / "12").mkdir()
    assert [process["pid"] for process in running(r"-npu-driver_[^/]*\.run$", str(proc))] == [10]


def test_what_we_installed_is_written_down_for_everybody_to_read(tmp_path: Path) -> None:
    mark = tmp_path / "lib/owned"
    installer.own(str(mark), "1.2.3")
    assert mark.read_text() == "1.2.3\n"
    assert mark.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in mark.parent.iterdir()] == ["owned"]
