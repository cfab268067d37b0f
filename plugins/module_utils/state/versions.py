"""Compare vendor versions by value: 25.0.rc1.b080, 7.7.t20.0.b200 and v26.1.0 are not decimal numbers."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\d+|[a-z]+")
_AFTER = ("post", "sph", "sp", "patch")  # words that come after the release that they follow
_BEFORE_END, _END, _AFTER_END, _NUMBER = range(4)


def key(version: str) -> list[tuple[int, int, str]]:
    """Return what *version* sorts by: 25.0.rc1 < 25.0 < 25.0.1; a leading v is ignored."""
    plain = version.strip().lower()
    plain = plain[1:] if plain.startswith("v") else plain
    ranked = []
    for piece in _PIECE.findall(plain):
        if piece.isdigit():
            ranked.append((_NUMBER, int(piece), ""))
        else:
            ranked.append((_AFTER_END if piece in _AFTER else _BEFORE_END, 0, piece))
    return [*ranked, (_END, 0, "")]


def is_older(version: str, than: str) -> bool:
    """Return whether *version* comes before *than*."""
    return key(version) < key(than)


def is_same(version: str | None, other: str | None) -> bool:
    """Return whether both spell the same version; nothing is the same as no version."""
    return version is not None and other is not None and key(version) == key(other)
