"""Run a command that only reads, with a time limit, without a terminal and in plain English."""

from __future__ import annotations

import os
import subprocess

from .files import SEARCH_PATH

TIMED_OUT = 124
NOT_FOUND = 127


def run(argv: list[str], timeout_seconds: float) -> tuple[int, str]:
    """Return code and output (both streams) of *argv*; 124 when it took longer than allowed, 127 when it is absent."""
    environment = dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":" + SEARCH_PATH)
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_seconds,
            env=environment,
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return TIMED_OUT, "no answer within %.0f s" % timeout_seconds
    except OSError as error:
        return NOT_FOUND, str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace")
