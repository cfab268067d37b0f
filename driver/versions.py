"""Compare versions by value, never as text: vendors write 25.0.rc1.b080, 7.7.t20.0.b200, v0.8.4rc2 and 24.10."""

from __future__ import annotations

import re

Key = tuple[tuple[int, int, str], ...]

_PIECE = re.compile(r"\d+|[a-z]+")
_AFTER = frozenset({"post", "sph", "sp", "patch"})  # words that come after the release that they follow

_BEFORE_END, _END, _AFTER_END, _NUMBER = range(4)


def key(version: str) -> Key:
    """Return what *version* sorts by: 25.0.rc1 < 25.0 < 25.0.post1 < 25.0.1; a leading v is ignored."""
    pieces = _PIECE.findall(version.lower().removeprefix("v"))
    ranked = [
        (_NUMBER, int(piece), "") if piece.isdigit() else (_AFTER_END if piece in _AFTER else _BEFORE_END, 0, piece)
        for piece in pieces
    ]
    return (*ranked, (_END, 0, ""))


def within(version: str, since: str | None, below: str | None) -> bool:
    """Return whether since <= *version* < below; None is an open end."""
    here = key(version)
    return (since is None or key(since) <= here) and (below is None or here < key(below))
