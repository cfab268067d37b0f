"""One line per step on stderr: how long it has been, what is done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Prints steps with the seconds since the start; may be used by several threads."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self.stages: dict[str, float] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since this run began."""
        return time.monotonic() - self._start

    def say(self, text: str) -> None:
        """Print one line."""
        with self._lock:
            self._stream.write(f"[{self.elapsed:4.0f}s] {text}\n")
            self._stream.flush()

    @contextmanager
    def stage(self, what: str, *, announce: bool = True) -> Iterator[None]:
        """Say how long *what* took when it has ended, and with *announce* that it begins."""
        begin = time.monotonic()
        if announce:
            self.say(f"{what} …")
        yield
        self.stages[what] = time.monotonic() - begin
        self.say(f"{what}: done in {self.stages[what]:.1f} s")
