"""What /proc says: which vendor installers run, and which processes hold a card."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

INSTALLER = re.compile(r"npu-(driver|firmware)[^/ ]*\.run$")
_CARD = re.compile(r"^/dev/davinci(\d+)$")
_CONTAINER = re.compile(r"([0-9a-f]{64})")


def installers(proc: str = "/proc") -> list[str]:
    """Return the command line of every vendor installer that runs now."""
    found = []
    for pid in _pids(proc):
        words = _read(os.path.join(proc, pid, "cmdline")).decode("utf-8", "replace").split("\0")
        # the text of somebody's `sh -c` that merely names the file is one word with blanks in it
        if any(INSTALLER.search(word) and " " not in word for word in words):
            found.append(" ".join(words).strip()[:200])
    return found


def holders(proc: str = "/proc") -> list[Facts]:
    """Return {pid, name, cards, container} of every process with a card's node open; container is an id or ""."""
    found = []
    for pid in _pids(proc):
        cards = _cards(os.path.join(proc, pid, "fd"))
        if cards:
            match = _CONTAINER.search(_read(os.path.join(proc, pid, "cgroup")).decode("ascii", "replace"))
            name = _read(os.path.join(proc, pid, "comm")).decode("utf-8", "replace").strip()
            found.append({"pid": int(pid), "name": name, "cards": cards, "container": match.group(1) if match else ""})
    return found


def _cards(folder: str) -> list[int]:
    cards = set()
    try:
        names = os.listdir(folder)
    except OSError:
        return []  # it has ended meanwhile
    for name in names:
        try:
            match = _CARD.match(os.readlink(os.path.join(folder, name)))
        except OSError:
            continue  # it was closed meanwhile
        if match:
            cards.add(int(match.group(1)))
    return sorted(cards)


def _pids(proc: str) -> list[str]:
    own = str(os.getpid())
    return sorted((name for name in os.listdir(proc) if name.isdigit() and name != own), key=int)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as source:
            return source.read(1 << 16)
    except OSError:
        return b""
