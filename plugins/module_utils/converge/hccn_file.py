"""/etc/hccn.conf has other writers: change our keys, keep every other line, remember what ours were before."""

from __future__ import annotations

import glob
import json
import os
import stat
import time
from typing import Any, Dict, List, Tuple

from ..state import hccn
from .errors import RefusedError

MODE = 0o644
BACKUP_END = ".provision-backup"
Values = Dict[str, Any]


def unsafe(path: str) -> str:
    """Return why *path* must not be written ("" is fine): whoever made it a link chose where a write of root goes."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return ""
    if stat.S_ISREG(found.st_mode):
        return ""
    kind = "a symbolic link to %s" % os.readlink(path) if stat.S_ISLNK(found.st_mode) else "no file"
    return (
        "%s is %s, expected a plain file: nothing is written through it. Put a plain file with its content in its "
        "place, then run again" % (path, kind)
    )


def read(path: str) -> str:
    """Return the content of *path*, "" when there is none. Raises RefusedError."""
    fault = unsafe(path)
    if fault:
        raise RefusedError(fault)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as source:
            return source.read()
    except FileNotFoundError:
        return ""


def changed(text: str, new: Values) -> str:
    """Return *text* with the keys of *new* as they are there (None: no line); all other lines stay as they are.

    A key keeps its place, and its line where the value is right. A second line of the same key goes: which one of
    the two holds is the tool's secret. New keys stand at the end.
    """
    left, lines = dict(new), []
    for line in text.splitlines(keepends=True):
        key, mark, value = line.partition("=")
        key = key.strip()
        if not mark or key not in new:
            lines.append(line)
            continue
        wanted = left.pop(key, None)
        if wanted is not None:
            end = line[len(line.rstrip("\r\n")) :]
            lines.append(line if value.strip() == wanted else "%s=%s%s" % (key, wanted, end))
    added = ["%s=%s\n" % (key, value) for key, value in left.items() if value is not None]
    if added and lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join(lines + added)


def plan(text: str, devices: List[Values], known: Values) -> Tuple[Values, Values]:
    """Return the keys to change (None: to remove) and the new record, for *devices* as the site wants them.

    *known* is the record {originals, written}: what the site no longer says becomes what it was before us.
    """
    present, wanted = hccn.values(text), hccn.keys(devices)
    old = hccn.outdated(wanted, present, known)
    # what somebody else has written since is the operator's original now
    originals = {
        key: known["originals"][key]
        if key in known["originals"] and _is_ours(key, present, known)
        else present.get(key)
        for key in wanted
    }
    return dict(wanted, **old), {"originals": originals, "written": wanted}


def _is_ours(key: str, present: Values, known: Values) -> bool:
    return present.get(key) == known["written"].get(key) or key not in present


def undone(text: str, known: Values) -> Values:
    """Return the keys that become again what they were before us; what somebody else has written since stays."""
    return hccn.outdated({}, hccn.values(text), known)


def write(path: str, text: str) -> str:
    """Replace *path* by *text* in one go and keep the old file beside it; return the backup's path ("" without one)."""
    backup = ""
    if os.path.exists(path):
        backup = "%s.%s%s" % (path, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), BACKUP_END)
        with open(path, "rb") as old:
            _put(backup, old.read())
    _put(path, text.encode("utf-8", "surrogateescape"))
    return backup


def backups(path: str) -> List[str]:
    """Return the copies that `write` left beside *path*."""
    return sorted(glob.glob(glob.escape(path) + ".*" + BACKUP_END))


def remember(path: str, record: Values) -> None:
    """Write the record of our keys."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    _put(path, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode())


def _put(path: str, data: bytes) -> None:
    draft = path + ".provision-new"
    if os.path.lexists(draft):
        os.unlink(draft)  # of a run that was killed; never opened, it might be a link
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
    with open(handle, "wb") as target:
        target.write(data)
        target.flush()
        os.fsync(target.fileno())
        os.fchmod(target.fileno(), MODE)
    os.replace(draft, path)
