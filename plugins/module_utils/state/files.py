"""Read small files and find commands; nothing here raises for what is absent."""

from __future__ import annotations

import os
import stat

SEARCH_PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/Ascend/driver/tools"
MOST_BYTES = 4 << 20


def text(path: str) -> str | None:
    """Return *path* as text, None when it is absent, a directory, not readable or larger than MOST_BYTES."""
    try:
        with open(path, "rb") as source:
            if os.fstat(source.fileno()).st_size > MOST_BYTES:
                return None
            # no size given: the kernel refuses a read of many bytes from some files of /proc
            return source.read().decode("utf-8", "replace")
    except OSError:
        return None


def tail(path: str, size: int = 1 << 16) -> str:
    """Return the last *size* bytes of *path* as text, "" when it cannot be read."""
    try:
        with open(path, "rb") as source:
            source.seek(max(0, os.fstat(source.fileno()).st_size - size))
            return source.read(size).decode("utf-8", "replace")
    except OSError:
        return ""


def line(path: str) -> str:
    """Return the content of a one-line file without blanks at its ends, "" when there is none."""
    return (text(path) or "").strip()


def kind(path: str) -> str:
    """Return what *path* is: "" absent, "file", "directory", "device", "other"; links are followed."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return ""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "other"


def has_content(path: str) -> bool:
    """Return whether *path* is a file with at least one byte in it."""
    return kind(path) == "file" and os.path.getsize(path) > 0


def names(folder: str) -> list[str]:
    """Return the sorted names in *folder*, [] when it is no readable folder."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def pairs(content: str | None) -> dict[str, str]:
    """Return the KEY=value lines of *content*, quotes around a value taken off; other lines are left out."""
    found: dict[str, str] = {}
    for entry in (content or "").splitlines():
        key, mark, value = entry.partition("=")
        key = key.strip()
        if mark and key and not key.startswith("#"):
            found[key] = value.strip().strip("\"'")
    return found


def which(name: str, search_path: str | None = None) -> str | None:
    """Return the path of the command *name* that root would run, None when there is none."""
    for folder in (search_path or SEARCH_PATH).split(":"):
        path = os.path.join(folder, name)
        if kind(path) == "file" and os.access(path, os.X_OK):
            return path
    return None


def existing_parent(path: str) -> str:
    """Return *path*, or the nearest folder above it that exists."""
    while not os.path.exists(path) and path not in {"/", ""}:
        path = os.path.dirname(path)
    return path or "/"


def modified(path: str) -> float:
    """Return when *path* was last written, in seconds since the epoch. Raises OSError."""
    return os.stat(path).st_mtime
