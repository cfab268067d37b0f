"""The standard streams of this process, also when the caller has closed them or they cannot write every character."""

from __future__ import annotations

import io
import os
import sys

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def prepare() -> None:
    """Put the null device in place of a stream that is closed, and escape what a stream cannot encode."""
    for name, mode in _MODES.items():
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - it lives as long as we do
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Write what is left; raises OSError, BrokenPipeError among them, when nobody takes it."""
    sys.stdout.flush()


def drop() -> None:
    """Send what is left of stdout to the null device, so that the end of the process does not stumble over it."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):  # a stream without a file behind it has nothing to stumble over
        return
    finally:
        os.close(null)
