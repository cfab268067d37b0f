"""Run a command that changes the host: no terminal, plain English, a time limit, nothing of it left running."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from typing import IO, Callable, Dict, List, Optional, Tuple

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
POLL_SECONDS = 0.2
GRACE_SECONDS = 10.0
NOT_FOUND = 127
TIMED_OUT = 124  # as timeout(1) says it


def ignore(line: str) -> None:
    """Take the last line of a command that nobody waits for."""


def execute(
    argv: List[str], seconds: float, environment: Dict[str, str], heard: Callable[[str], None] = ignore
) -> Tuple[Optional[int], str]:
    """Return code (None: it was ended after *seconds*) and both streams of *argv*; *heard* gets its last line."""
    given = dict(os.environ, PATH=SEARCH_PATH, LC_ALL="C", LANG="C", **environment)
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=given,
                start_new_session=True,
            )
        except OSError as error:
            return NOT_FOUND, str(error)
        limit = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < limit:
            lines = _text(output).splitlines()
            heard(lines[-1] if lines else "")
            time.sleep(POLL_SECONDS)
        code = process.poll()
        if code is None:
            _end(process)
        return code, _text(output)


def answer(argv: List[str], seconds: float) -> Tuple[int, str]:
    """Return code and output of *argv*; the code is TIMED_OUT when it was ended after *seconds*."""
    code, output = execute(argv, seconds, {})
    return (TIMED_OUT if code is None else code), output


def _text(output: IO[bytes]) -> str:
    """Read without moving the place at which the command writes."""
    size = os.fstat(output.fileno()).st_size
    return os.pread(output.fileno(), size, 0).decode("utf-8", "replace")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the whole session: a package manager has started others."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + GRACE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    process.wait()
