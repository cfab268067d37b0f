"""Run a vendor's installer: no terminal, a time limit, its output kept, its result looked at instead of its word."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import Dict, List

from ..state.versions import is_build_of
from .errors import RefusedError
from .progress import Progress
from .vendor import SEARCH_PATH, version_in

POLL_SECONDS = 0.2
GRACE_SECONDS = 5.0
TAIL_LINES = 20
SESSION_FIELD = 3  # in /proc/<pid>/stat, counted behind the name, which may contain blanks
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Call:
    """One call of an installer and how its result is judged."""

    argv: List[str]
    stdin_text: str
    timeout_seconds: float
    success_codes: List[int]
    output_path: str
    log_paths: List[str]
    version_file: str = ""
    version: str = ""
    reboot_codes: List[int] = field(default_factory=list)
    reboot_pattern: str = ""


def tail(path: str, lines: int = TAIL_LINES) -> str:
    """Return the last *lines* of *path*, "" when it can not be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return "\n".join(_COLOURS.sub("", source.read()).splitlines()[-lines:])
    except OSError:
        return ""


def run(call: Call, progress: Progress) -> Dict[str, object]:
    """Run *call*; return code, seconds, output tail and whether a reboot is needed. Raises RefusedError."""
    os.makedirs(os.path.dirname(call.output_path), mode=0o750, exist_ok=True)
    began = time.monotonic()
    rc = _execute(call, progress)
    seconds = round(time.monotonic() - began, 1)
    output = tail(call.output_path)
    name = os.path.basename(next((word for word in call.argv if word.endswith((".run", ".sh"))), call.argv[0]))
    if rc is None:
        raise RefusedError(
            f"{name} was still running after {call.timeout_seconds:.0f} s and was ended. {evidence(call, output)}"
        )
    if rc not in call.success_codes:
        expected = ", ".join(map(str, call.success_codes))
        raise RefusedError(f"{name} ended with code {rc}, expected {expected}. {evidence(call, output)}")
    found = version_in(call.version_file) if call.version_file else ""
    if call.version_file and not is_build_of(found, call.version):
        raise RefusedError(
            f"{name} ended with code {rc} but {call.version_file} says {found or 'nothing'}, expected version "
            f"{call.version}: it refused without an error code. {evidence(call, output)}"
        )
    asked = bool(call.reboot_pattern and re.search(call.reboot_pattern, output, re.IGNORECASE))
    return {"code": rc, "seconds": seconds, "output": output, "reboot_needed": rc in call.reboot_codes or asked}


def own(path: str, version: str) -> None:
    """Write down at *path* that *version* was installed by us, in one go and for everybody to read."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as target:
        target.write(version + "\n")
    os.chmod(path + ".new", 0o644)
    os.replace(path + ".new", path)


def evidence(call: Call, output: str) -> str:
    """Return what the operator needs to see: the installer's last words, and the last lines of the vendor's logs."""
    logs = [f"{path} ends with:\n{tail(path)}" for path in call.log_paths if tail(path)]
    return "\n".join([f"Its output ({call.output_path}) ends with:", output or "(nothing)", *logs])


def _execute(call: Call, progress: Progress) -> int | None:
    """Return the exit code, None when the time was up; nothing of the installer is left running then."""
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C", "LANG": "C", "HOME": "/root", "TERM": "dumb"}
    with open(call.output_path, "wb") as output:
        process = subprocess.Popen(
            call.argv,
            stdin=subprocess.PIPE if call.stdin_text else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    if process.stdin is not None:
        try:
            process.stdin.write(call.stdin_text.encode())
            process.stdin.close()
        except BrokenPipeError:
            pass  # it did not ask
    limit = time.monotonic() + call.timeout_seconds
    while process.poll() is None:
        if time.monotonic() > limit:
            _end(process)
            return None
        last = tail(call.output_path, 1)
        progress.update(0, f"{progress.what.split(': ')[0]}: {last[:120]}" if last else "")
        time.sleep(POLL_SECONDS)
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the installer's whole session: it may have started others, and some of them in groups of their own."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        for pid in session(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)
        deadline = time.monotonic() + GRACE_SECONDS
        while session(process.pid) and time.monotonic() < deadline:
            process.poll()  # a child that has ended and was not asked for stays in the list
            time.sleep(POLL_SECONDS)
    process.wait()


def session(leader: int, proc: str = "/proc") -> List[int]:
    """Return the processes of the session that *leader* began, those left out that have ended and wait to be read."""
    found = []
    for entry in filter(str.isdigit, os.listdir(proc)):
        try:
            with open(os.path.join(proc, entry, "stat"), encoding="utf-8", errors="replace") as source:
                fields = source.read().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if fields[SESSION_FIELD] == str(leader) and fields[0] != "Z":
            found.append(int(entry))
    return found
