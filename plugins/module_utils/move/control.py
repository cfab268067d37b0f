"""Starts, tells, follows and ends the agent of this host: what the modules are made of."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

# all that goes into the bundle has to come along with the module
from . import agent, bundle
from .errors import MoveError
from .job import DONE, FAILED, HOLDING

FOLDER = "/run/provision/move"
UNIT = "provision-move.service"
CONFIG = "agent.json"
START_SECONDS = 30.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.25
LOG_LINES = 15
# Of these the agent takes note only when it starts.
FIXED = ("port", "listen", "streams")


def ask(given: Dict[str, Any], folder: str = FOLDER) -> str:
    """Have the agent do what *given* says, sets it knows and that are not named again stay; return when it knows.

    Returns the mark by which `follow` finds the request. Raises MoveError.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chmod(folder, 0o700)
    mark = secrets.token_hex(8)
    with _locked(folder):
        before = _read(os.path.join(folder, CONFIG)) if alive(folder) else {}
        program = bundle.write(folder)
        fresh = [{**each, "asked": mark} for each in given["sets"]]
        taken = {each["folder"] for each in fresh}
        kept = [each for each in before.get("sets", []) if each["folder"] not in taken]
        wanted = {**given, "program": program, "sets": kept + [each for each in fresh if each["mode"] != "drop"]}
        same = all(before.get(key) == wanted.get(key) for key in ("program", *FIXED))
        if before and not same:
            _end(folder)
        version = _put(os.path.join(folder, CONFIG), wanted)
        if not alive(folder):
            _start(program, folder)
        _wait_for(folder, version)
    return mark


def follow(mark: str, seconds: float, heard: Callable[[List[Dict[str, Any]]], None], folder: str = FOLDER) -> List[Any]:
    """Return the reports of the sets asked with *mark* when all are whole; *heard* gets them meanwhile.

    Raises MoveError when one fails, the agent ends, or *seconds* are over; those sets are dropped then.
    """
    limit = time.monotonic() + seconds
    while True:
        found = status(folder)
        reports = [each for each in found.get("sets", []) if each.get("asked") == mark]
        heard(reports)
        failed = [each for each in reports if each["state"] == FAILED]
        if failed:
            raise MoveError("; ".join(told(each) for each in failed))
        if all(each["state"] in {DONE, HOLDING} for each in reports):
            return reports
        if not alive(folder):
            raise MoveError(f"the agent of moves has ended: {found.get('fault') or tail(folder)}")
        if time.monotonic() > limit:
            drop([each["name"] for each in reports], folder)
            late = [f"{each['name']}: {each['have']} of {each['total']} bytes" for each in reports]
            raise MoveError(f"not done after {seconds:.0f} s: {'; '.join(late)}. What has arrived is kept")
        time.sleep(POLL_SECONDS)


def told(report: Dict[str, Any]) -> str:
    """Return the failure of a set with what led to it."""
    notes = "; ".join(report["notes"][-5:])
    return f"{report['name']}: {report['fault']}" + (f" (before: {notes})" if notes else "")


def drop(names: List[str], folder: str = FOLDER) -> None:
    """Have the agent forget the sets called *names*."""
    with _locked(folder):
        wanted = _read(os.path.join(folder, CONFIG))
        if wanted:
            wanted["sets"] = [each for each in wanted["sets"] if each["name"] not in names]
            _put(os.path.join(folder, CONFIG), wanted)


def stop(folder: str = FOLDER) -> bool:
    """End the agent and remove what it had in *folder*; return whether there was one."""
    if not os.path.isdir(folder):
        return False
    with _locked(folder):
        _end(folder)
    shutil.rmtree(folder)
    return True


def status(folder: str = FOLDER) -> Dict[str, Any]:
    """Return what the agent says of itself, {} when it has not said anything."""
    return _read(os.path.join(folder, "status.json"))


def alive(folder: str = FOLDER) -> bool:
    """Return whether the agent of *folder* runs."""
    return bool(_pid(folder))


def tail(folder: str) -> str:
    """Return the last lines of the agent's log."""
    try:
        with open(os.path.join(folder, agent.LOG_FILE), encoding="utf-8", errors="replace") as source:
            return "\n".join(source.read().splitlines()[-LOG_LINES:]) or "it said nothing"
    except OSError:
        return "it said nothing"


def systemd(folder: str) -> bool:
    """Return whether systemd runs the agent: not where there is none, and never for a folder of a test."""
    return folder == FOLDER and os.path.isdir("/run/systemd/system") and shutil.which("systemd-run") is not None


def _pid(folder: str) -> Optional[int]:
    """Return the process of the agent; a number that went to another process is none of ours."""
    with contextlib.suppress(OSError, TypeError, ValueError):
        pid = int(status(folder).get("pid") or 0)
        with open(f"/proc/{pid}/cmdline", "rb") as source:
            if os.path.join(folder, CONFIG).encode() in source.read().split(b"\0"):
                return pid
    return None


def _start(program: str, folder: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, "status.json"))
    # -I: nothing of the caller's environment or folder gets in
    argv = [sys.executable or "/usr/bin/python3", "-I", program, os.path.join(folder, CONFIG)]
    if systemd(folder):
        subprocess.run(["systemctl", "reset-failed", UNIT], stderr=subprocess.DEVNULL, check=False)
        made = subprocess.run(
            ["systemd-run", "--quiet", "--unit", UNIT, "--description", "provision: move files", *argv],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if made.returncode == 0:
            return
    subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        cwd="/",
    )  # fmt: skip


def _wait_for(folder: str, version: str) -> None:
    limit = time.monotonic() + START_SECONDS
    while True:
        found = status(folder)
        if found.get("config") == version:
            return
        if found.get("state") == "failed":
            raise MoveError(str(found.get("fault")))
        if time.monotonic() > limit:
            raise MoveError(f"the agent of moves did not start within {START_SECONDS:.0f} s: {tail(folder)}")
        time.sleep(POLL_SECONDS)


def _end(folder: str) -> None:
    pid = _pid(folder)
    if systemd(folder):
        subprocess.run(["systemctl", "stop", UNIT], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["systemctl", "reset-failed", UNIT], stderr=subprocess.DEVNULL, check=False)
    for sent in (signal.SIGTERM, signal.SIGKILL):
        limit = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(ProcessLookupError):
            if pid and _pid(folder) == pid:
                os.kill(pid, sent)
        while pid and _pid(folder) == pid and time.monotonic() < limit:
            time.sleep(0.05)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # it is a child where one process asks twice


def _put(path: str, content: Dict[str, Any]) -> str:
    """Write *content*, which holds a secret, in one go; return the mark of its version."""
    text = json.dumps(content)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path + ".new")
    handle = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as target:
        target.write(text)
    os.replace(path + ".new", path)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as source:
            found = json.load(source)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Let one module at a time tell the agent what to do."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
