"""One file of a set on this host: where it is, how much of it is there, and who waits for more of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
import time
from typing import Any, Callable, Dict, List

from .errors import MoveError

MISSING, GROWING, WHOLE, FAILED = "missing", "growing", "whole", "failed"
PART = ".part"
LOOK_SECONDS = 0.2
# How often a place was begun again: a set that is asked for once more is still the same to its readers.
_begun: Dict[str, int] = {}
_started = secrets.token_hex(4)
HASH_CHUNK = 1 << 20


def key_of(entry: Dict[str, Any]) -> str:
    """Return the name by which hosts ask each other for the content of *entry*. Raises MoveError without a checksum."""
    if entry.get("sha256"):
        return str(entry["sha256"]).lower()
    if entry.get("git_sha1"):
        return "git-" + str(entry["git_sha1"]).lower()
    raise MoveError(
        f"{entry.get('path')}: has neither sha256 nor git_sha1, expected one: a file that nobody can verify is not "
        "moved. Take the checksum from the source, or compute it where the file is."
    )


def digest_for(entry: Dict[str, Any]) -> Any:
    """Return the running checksum that fits *entry*."""
    if entry.get("sha256"):
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % int(entry["size"]))  # noqa: S324 - git's own id


def safe(relative: str) -> str:
    """Return *relative* when it stays below its folder. Raises MoveError: such a name comes from somebody else."""
    clean = os.path.normpath(relative)
    if not relative or os.path.isabs(relative) or clean.split(os.sep)[0] in {"..", "."} or "\0" in relative:
        raise MoveError(f"{relative!r} is not a path below the set's folder; expected a relative one without '..'")
    if clean.endswith(PART):
        raise MoveError(f"{relative!r} ends with {PART}, which is how unfinished files are called here")
    return clean


class File:
    """A file of a set. The state changes only through the methods, which wake who waits."""

    def __init__(self, folder: str, entry: Dict[str, Any], held: bool) -> None:
        """Describe *entry* in *folder*; a *held* file is made by somebody else and served when it has its size."""
        self.entry = entry
        self.path = safe(str(entry["path"]))
        self.size = int(entry["size"])
        self.key = key_of(entry)
        self.final = os.path.join(folder, self.path)
        self.part = self.final + PART
        self.held = held
        self.state = MISSING
        self.have = 0
        self.generation = ""
        self._name_generation()
        self._changed = threading.Condition()

    def look(self) -> None:
        """See whether a held file has become whole, or is no more."""
        if self.held:
            self.state = WHOLE if size_of(self.final) == self.size else MISSING
            self.have = self.size if self.state == WHOLE else 0

    def readable(self) -> int:
        """Return how many bytes others may have: never the last one of a file that is not verified yet."""
        self.look()
        return self.size if self.state == WHOLE else max(0, min(self.have, self.size - 1))

    def begin(self, have: int) -> None:
        """Start, or go on with *have* bytes."""
        self._set(GROWING, have)

    def grew(self, count: int) -> None:
        """Let the readers have *count* bytes more."""
        with self._changed:
            self.have += count
            self._changed.notify_all()

    def verified(self) -> None:
        """Let the readers have the rest."""
        self._set(WHOLE, self.size)

    def failed(self) -> None:
        """Send the readers elsewhere."""
        self._set(FAILED, self.have)

    def take_back(self) -> None:
        """Forget what was received: readers must forget it, too."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.part)
        self.outdate()

    def outdate(self) -> None:
        """Make known that nothing of before counts any more."""
        _begun[self.final] = _begun.get(self.final, 0) + 1
        self._name_generation()
        self._set(MISSING, 0)

    def _name_generation(self) -> None:
        self.generation = f"{_started}-{_begun.get(self.final, 0)}-{self.key[:16]}"

    def _set(self, state: str, have: int) -> None:
        with self._changed:
            self.state, self.have = state, have
            self._changed.notify_all()

    def wait_beyond(self, offset: int, generation: str, seconds: float) -> int:
        """Return how far others may read, as soon as that is beyond *offset*, or after *seconds*; -1: taken back."""
        limit = time.monotonic() + seconds
        while True:
            with self._changed:
                readable = self.readable()
                if self.generation != generation or self.state == FAILED:
                    return -1
                left = limit - time.monotonic()
                if readable > offset or self.state == WHOLE or left <= 0:
                    return readable
                self._changed.wait(min(left, LOOK_SECONDS) if self.held else left)

    def open(self) -> int:
        """Return a descriptor of what is there; the part may become the whole file between two looks."""
        places = [self.final, self.part] if self.state == WHOLE else [self.part, self.final]
        try:
            return os.open(places[0], os.O_RDONLY)
        except FileNotFoundError:
            return os.open(places[1], os.O_RDONLY)


def size_of(path: str) -> int:
    """Return the size of the file *path*, -1 where there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def checksum(path: str, entry: Dict[str, Any], ended: Callable[[], bool]) -> str:
    """Return the checksum of the file *path*, of the kind that *entry* names; half a one if *ended* meanwhile."""
    digest = digest_for(entry)
    feed(digest, path, ended)
    return str(digest.hexdigest())


def feed(digest: Any, path: str, ended: Callable[[], bool]) -> int:
    """Put the content of *path* into *digest*; return its length, less if *ended* meanwhile."""
    buffer = memoryview(bytearray(HASH_CHUNK))
    done = 0
    with open(path, "rb", buffering=0) as source:
        for count in iter(lambda: source.readinto(buffer), 0):
            digest.update(buffer[:count])
            done += count or 0
            if ended():
                break
    return done


def files_of(described: Dict[str, Any]) -> List[File]:
    """Return the files of the set *described* as the configuration holds it."""
    held = described["mode"] == "hold"
    return [File(described["folder"], entry, held) for entry in described["files"]]
