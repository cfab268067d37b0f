"""The lock: one acting run per site, none left behind by a killed one, and no Ansible that outlives its run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from driver import lock
from driver.errors import Locked

LEASH = Path(lock.__file__).with_name("leash.py")
HOLD = """
import sys, time
from pathlib import Path
from driver import lock
with lock.held(Path(sys.argv[1]), "up", print):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_refused_and_names_the_first(tmp_path: Path) -> None:
    first = holder(tmp_path)
    try:
        with pytest.raises(Locked, match=rf"`up` \(process {first.pid}\)"), lock.held(tmp_path, "up", print):
            pass
    finally:
        first.kill()
        first.wait()


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    first = holder(tmp_path)
    first.kill()
    first.wait()
    with lock.held(tmp_path, "up", print):
        pass


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 5) -> bool:
    ends = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < ends:
        time.sleep(0.02)
    return not alive(pid)


# a run: starts the leash on a shell whose child leads a session of its own, as Ansible's workers do
RUN = """
import os, subprocess, sys
leash, lock, work = sys.argv[1:]
subprocess.run([sys.executable, leash, lock, str(os.getpid()), "sh", "-c", work])
"""
WORK = 'setsid sh -c "trap \\"\\" HUP; echo \\$\\$ >worker; sleep 60" & wait'


def test_nothing_outlives_a_killed_run(tmp_path: Path) -> None:
    _, ansible = lock.lock_paths(tmp_path)
    run = subprocess.Popen([sys.executable, "-c", RUN, str(LEASH), str(ansible), WORK], cwd=tmp_path)
    ends = time.monotonic() + 10
    worker = tmp_path / "worker"
    while not (worker.exists() and worker.read_text(encoding="utf-8").strip()) and time.monotonic() < ends:
        time.sleep(0.02)
    pid = int(worker.read_text(encoding="utf-8"))
    said: list[str] = []
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    with lock.held(tmp_path, "up", said.append):
        assert not alive(pid)
    assert gone(pid)


def test_the_leash_passes_on_the_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, str(LEASH), str(tmp_path / "lock"), str(os.getpid()), "sh", "-c", "exit 3"]
    assert subprocess.run(command, check=False).returncode == 3
