"""Who keeps the host's clock, by which servers, and whether the kernel takes it for synchronized."""

from __future__ import annotations

import ctypes
import glob
import os

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

MAIN_FILES = ("/etc/chrony/chrony.conf", "/etc/chrony.conf")
UNITS = ("chrony.service", "chronyd.service")
RIVALS = ("systemd-timesyncd.service", "ntpd.service", "ntp.service", "ntpsec.service")
_SOURCES = ("server", "pool", "peer")
_FOLDERS = {"confdir": "*.conf", "sourcedir": "*.sources"}
OWN_FILE = "provision.conf"
TIME_ERROR = 5
MOST_FILES = 50
BUFFER_BYTES = 512  # struct timex has 208


def synchronized() -> bool | None:
    """Return whether the kernel takes its clock for synchronized, None when it does not say."""
    try:
        code = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(BUFFER_BYTES))  # all zero: it only reads
    except (OSError, AttributeError):
        return None
    return code != TIME_ERROR if code >= 0 else None


def chrony(root: str = "") -> Facts:
    """Return {file, servers, folders, own} of chrony's settings: its main file ("" without one) and all time sources.

    folders are those that the main file reads further files from: {confdir: path, sourcedir: path}; own are the
    sources in provision's own file.
    """
    main = next((path for path in MAIN_FILES if files.kind(root + path) == "file"), "")
    found: Facts = {"file": main, "servers": [], "folders": {}, "own": []}
    todo = [main] if main else []
    seen: set[str] = set()
    while todo and len(seen) < MOST_FILES:
        path = todo.pop(0)
        if path in seen:
            continue
        seen.add(path)
        for words in _lines(files.text(root + path) or ""):
            todo += _read(root, path, words, found)
    own = files.text(root + own_file(found)) if main else None
    return dict(found, own=[words[1] for words in _lines(own or "") if words[0].lower() in _SOURCES])


def own_file(found: Facts) -> str:
    """Return the path of provision's own file: in a folder that chrony reads, else beside its main file."""
    folder = found["folders"].get("confdir", "")
    return os.path.join(folder or os.path.dirname(found["file"]), OWN_FILE if folder else "chrony." + OWN_FILE)


def _lines(content: str) -> list[list[str]]:
    lines = [line.split() for line in content.splitlines()]
    return [words for words in lines if len(words) > 1 and words[0][0] not in "#!;%"]


def _read(root: str, path: str, words: list[str], found: Facts) -> list[str]:
    """Note what one line says in *found*; return the files that it names."""
    key = words[0].lower()
    if key in _SOURCES and words[1] not in found["servers"]:
        found["servers"].append(words[1])
    if key == "include":
        return _globbed(root, words[1])
    if key in _FOLDERS:
        if path == found["file"]:
            found["folders"].setdefault(key, words[1])
        return [name for folder in words[1:] for name in _globbed(root, os.path.join(folder, _FOLDERS[key]))]
    return []


def _globbed(root: str, pattern: str) -> list[str]:
    return [path[len(root) :] for path in sorted(glob.glob(root + pattern))]
