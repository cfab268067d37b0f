"""Write a small text file in one go, with the mode that it had or shall have."""

from __future__ import annotations

import os


def read(path: str) -> str:
    """Return the text of *path*, "" when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as source:
            return source.read()
    except FileNotFoundError:
        return ""


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Write *text* to *path*; a file that is there keeps its mode, a link its place."""
    place = os.path.realpath(path)
    os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
    mode = os.stat(place).st_mode & 0o7777 if os.path.exists(place) else mode
    draft = place + ".provision-new"
    with open(draft, "w", encoding="utf-8", errors="surrogateescape") as target:
        target.write(text)
    os.chmod(draft, mode)
    os.replace(draft, place)


def remove(path: str) -> bool:
    """Remove *path*; return whether it was there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
