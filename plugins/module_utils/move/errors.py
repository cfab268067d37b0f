"""What can go wrong in a move and is worth a sentence of its own."""

from __future__ import annotations


class MoveError(Exception):
    """Something the operator can act on; modules turn it into a failed task."""


class SourceError(Exception):
    """One upstream could not give the file; another may. `sure`: it was looked at, there is no need to look again."""

    def __init__(self, text: str, sure: bool = False) -> None:
        """Say what was seen."""
        super().__init__(text)
        self.sure = sure


class NotYetError(SourceError):
    """The upstream lives and has no more than we have: it is worth waiting for."""


class TakenBackError(SourceError):
    """The upstream found that what it had handed out so far was wrong, and has begun again."""
