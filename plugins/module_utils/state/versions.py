"""Compare vendor versions by value: 25.0.rc1.b080, 7.7.t20.0.b200 and v26.1.0 are not decimal numbers."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\d+|[a-z]+")
_AFTER = ("post", "sph", "spc", "sp", "patch")  # words that come after the release that they follow
_BEFORE = ("alpha", "beta", "rc", "dev", "pre")  # words that come before the release that they follow
_BEFORE_END, _END, _AFTER_END, _NUMBER = range(4)


def _pieces(version: str) -> list[str]:
    plain = version.strip().lower()
    plain = plain[1:] if plain.startswith("v") else plain
    return _PIECE.findall(plain)


def key(version: str) -> list[tuple[int, int, str]]:
    """Return what *version* sorts by: 25.0.rc1 < 25.0 < 25.0.1; a leading v is ignored."""
    ranked = []
    for piece in _pieces(version):
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


def is_build_of(version: str | None, release: str | None) -> bool:
    """Return whether *version* is *release*, or a build of it: 25.0.rc1.b080 is one of 25.0.rc1.

    Words such as rc and sph name another release, and so do further numbers.
    """
    if not version or not release:
        return False
    wanted = key(release)[:-1]
    build = _pieces(version)[len(wanted) :]
    if not wanted or key(version)[: len(wanted)] != wanted:
        return False
    words, numbers = build[::2], build[1::2]
    return all(word.isalpha() and word not in _AFTER + _BEFORE for word in words) and all(map(str.isdigit, numbers))


def is_same_release(version: str | None, other: str | None) -> bool:
    """Return whether both name the same release: one may name its build, which the other leaves out."""
    return is_build_of(version, other) or is_build_of(other, version)


def is_enough(version: str | None, wanted: str, accepted: str) -> bool:
    """Return whether *version* may stay: it is *wanted*, or the site accepts it.

    *accepted* is the oldest version that the site leaves alone ("" accepts none); a newer one than *wanted* never is.
    """
    if is_build_of(version, wanted):
        return True
    if not version or not accepted or is_older(wanted, than=version):
        return False
    return is_build_of(version, accepted) or not is_older(version, than=accepted)


def good_enough(wanted: str, accepted: str) -> str:
    """Return in words which versions is_enough() is content with."""
    return wanted + (" (any from %s on may stay)" % accepted if accepted else "")


def is_numbered_like(version: str | None, other: str | None) -> bool:
    """Return whether both follow one scheme, so that a difference between them is one of versions.

    A component's 7.7.0.6.236 says nothing about a package's 7.7.t20.0.b200.
    """
    shapes = [[piece if piece.isalpha() else "0" for piece in _pieces(text or "")] for text in (version, other)]
    return bool(shapes[0]) and shapes[0] == shapes[1]
