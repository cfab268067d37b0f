"""Where a verb talks: the result on stdout, the log and the progress on stderr, questions only to a person."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from driver.errors import UsageError


@dataclass(frozen=True, slots=True)
class Terminal:
    """The three ends of a verb; `ask` puts a yes-or-no question to the person."""

    out: TextIO
    err: TextIO
    ask: Callable[[str], bool]
    interactive: bool

    def say(self, text: str) -> None:
        """Write a line of the log."""
        self.err.write(text if text.endswith("\n") else f"{text}\n")
        self.err.flush()

    def width(self, stream: TextIO) -> int:
        """Return the columns of *stream*, 0 when it is no terminal."""
        return shutil.get_terminal_size().columns if stream.isatty() else 0

    def confirm(self, question: str) -> None:
        """Ask; raise UsageError when the answer is no, or when nobody can be asked."""
        if not self.interactive:
            raise UsageError("nobody can be asked without a terminal: read what stands above, then give --yes to go on")
        if not self.ask(question):
            raise UsageError("not confirmed: nothing was changed")
