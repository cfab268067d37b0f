"""Other people's files that provision put aside under a longer name, and which of them can have their name back."""

from __future__ import annotations

import os
import re

from . import apt, files, rpm

ENDING = ".provision-disabled"
FOLDERS = (*apt.FOLDERS, rpm.FOLDER)
_NAME = re.compile(r"(?P<name>.+)%s(\.(?P<number>\d+))?" % re.escape(ENDING))


def waiting(folders: list[str], root: str = "") -> dict[str, str]:
    """Return path to the path before of the oldest of every file put aside whose name nobody has taken since."""
    found: dict[str, tuple[int, str]] = {}
    for folder in folders:
        for name in files.names(root + folder):
            match = _NAME.fullmatch(name)
            if match and files.kind("%s/%s" % (root + folder, name)) == "file":
                before = "%s/%s" % (folder, match.group("name"))
                age = int(match.group("number") or 1)
                found[before] = min(found.get(before, (age, name)), (age, name))
    return {
        "%s/%s" % (os.path.dirname(before), name): before
        for before, (_, name) in sorted(found.items())
        if not os.path.lexists(root + before)
    }


def free_name(path: str) -> str:
    """Return the name under which *path* is put aside: one that an older file has is not taken from it."""
    number, name = 1, path + ENDING
    while os.path.lexists(name):
        number += 1
        name = "%s%s.%d" % (path, ENDING, number)
    return name


def sources(root: str = "") -> list[str]:
    """Return the package sources that provision put aside and could put back."""
    suffixes = (*apt.SUFFIXES, rpm.SUFFIX)
    return [path for path, before in waiting(list(FOLDERS), root).items() if before.endswith(suffixes)]
