"""Run a command so that it can not outlive `provision`: started by path, in a process of its own.

ansible-runner makes Ansible ignore a hang-up, and Ansible's workers each lead a session of their own, so a killed
`provision` would leave them working. This process asks the kernel for a signal when its parent dies, adopts
every orphan below it, and ends all of them; it holds a lock meanwhile, which the next run waits for.

Use: leash.py LOCKFILE PARENT_PID COMMAND ARGUMENT...
"""

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 8.0


def descendants(root: int) -> list[int]:
    """Return the process ids below *root*, children before their own children."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def end_all(root: int) -> None:
    """Ask everything below *root* to end, and end by force what has not after the grace time."""
    limit = time.monotonic() + GRACE_SECONDS
    asked: set[int] = set()
    while alive := descendants(root):
        late = time.monotonic() > limit
        for pid in alive:
            if late or pid not in asked:
                asked.add(pid)
                _signal(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.05)
        _reap()


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


class Ended(BaseException):
    """A signal told the keeper to end what it keeps."""


def _on_signal(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # once is enough: ending must not be interrupted
    raise Ended(number)


def main(arguments: list[str]) -> int:
    """Run the command of *arguments* under the leash and return its exit code."""
    lock_file, parent, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    with open(lock_file, "a+", encoding="utf-8") as lock:  # noqa: PTH123 - no pathlib: it keeps the start short
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        json.dump({"pid": os.getpid(), "verb": "ansible-playbook"}, lock)
        lock.flush()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _on_signal)
        try:
            if os.getppid() != int(parent):
                raise Ended(signal.SIGTERM)  # the parent died before the kernel knew whom to tell
            child = subprocess.Popen(command)  # no `with`: leaving it would wait for the child
            return child.wait()
        except Ended as ended:
            end_all(os.getpid())
            return 128 + int(ended.args[0])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
