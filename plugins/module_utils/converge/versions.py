"""Compare vendor versions by value: 25.0.rc1.b080, 7.7.t20.0.b200 and v26.1.0 are not decimal numbers."""

from __future__ import annotations

import re
from typing import List, Tuple

_PIECE = re.compile(r"\d+|[a-z]+")
_AFTER = ("post", "sph", "sp", "patch")  # words that come after the release that they follow
_BEFORE_END, _END, _AFTER_END, _NUMBER = range(4)

Key = List[Tuple[int, int, str]]


def key(version: str) -> Key:
    """Return what *version* sorts by: 25.0.rc1 < 25.0 < 25.0.1; a leading v is ignored."""
    text = version.strip().lower()
    text = text[1:] if text.startswith("v") else text
    ranked: Key = []
    for piece in _PIECE.findall(text):
        if piece.isdigit():
            ranked.append((_NUMBER, int(piece), ""))
        else:
            ranked.append((_AFTER_END if piece in _AFTER else _BEFORE_END, 0, piece))
    return [*ranked, (_END, 0, "")]


def is_older(version: str, than: str) -> bool:
    """Return whether *version* comes before *than*."""
    return key(version) < key(than)


def is_same(version: str, other: str) -> bool:
    """Return whether both spell the same version."""
    return key(version) == key(other)
