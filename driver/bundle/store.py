"""The bytes of a bundle: one file for each content, named by its sha256; nothing gets there unverified."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from driver import paths, units
from driver.bundle.contents import Content
from driver.errors import Locked, TaskFailed

CHUNK: Final = 1 << 20
SHA256: Final = "sha256"
PARTIAL: Final = "partial"
_KEPT_FREE: Final = 16 << 20  # for manifests, links and what else a file system needs beside the bytes themselves


def sha256_of(file: Path) -> str:
    """Return the sha256 of *file*."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, SHA256).hexdigest()


class DiskFault(TaskFailed):
    """Reading or writing failed on this machine: whatever comes next would fail as well."""


@dataclass(frozen=True, slots=True)
class Store:
    """The contents below *root*; *held* keeps two threads from the same unfinished file."""

    root: Path
    held: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock), compare=False)

    def path(self, sha256: str) -> Path:
        """Return where the content with *sha256* lies, or would."""
        return self.root / SHA256 / sha256[:2] / sha256

    def has(self, content: Content) -> bool:
        """Return whether *content* is there, by its size; `verify` reads the bytes."""
        try:
            return self.path(content.sha256).stat().st_size == content.size
        except OSError:
            return False

    def part(self, key: str) -> Path:
        """Return the unfinished file of *key*; its folder is there."""
        folder = self.root / PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{key}.part"

    def admit(self, part: Path, sha256: str) -> Content:
        """Give the finished file *part*, whose sum was found to be *sha256*, its final name."""
        with part.open("rb") as finished:
            os.fsync(finished.fileno())
        target = self.path(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        size = part.stat().st_size
        part.replace(target)
        return Content(sha256=sha256, size=size)

    def take(self, file: Path, sha256: str = "") -> Content:
        """Add a local *file*, by a hard link where possible; raises TaskFailed when it is not what was expected."""
        try:
            found = sha256_of(file)
            if sha256 and found != sha256:
                raise TaskFailed(
                    f"{file}: found sha256 {found}; expected {sha256}; it is another file, or spoilt: get it again"
                )
            content = Content(sha256=found, size=file.stat().st_size)
            if not self.has(content):
                self._place(file, content)
        except OSError as error:
            raise broken(error, file) from error
        return content

    def keep(self, file: Path, content: Content) -> None:
        """Add a local *file* that whoever made it has compared already."""
        try:
            if not self.has(content):
                self._place(file, content)
        except OSError as error:
            raise broken(error, file) from error

    def put(self, data: bytes) -> Content:
        """Add *data*."""
        content = Content(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        if not self.has(content):
            part = self.part(content.sha256)
            try:
                part.write_bytes(data)
                self.admit(part, content.sha256)
            except OSError as error:
                raise broken(error, part) from error
        return content

    def read(self, sha256: str) -> bytes:
        """Return the bytes of a small content."""
        return self.path(sha256).read_bytes()

    def _place(self, file: Path, content: Content) -> None:
        part = self.part(content.sha256)
        part.unlink(missing_ok=True)
        try:
            os.link(file.resolve(), part)
        except OSError:  # another file system, one without links, or a kernel that forbids it
            self.require(content.size)
            shutil.copyfile(file, part)
            if sha256_of(part) != content.sha256:
                part.unlink()
                raise TaskFailed(f"{file}: it changed while it was copied; wait until it is complete") from None
        self.admit(part, content.sha256)

    def present(self) -> Iterator[tuple[str, Path]]:
        """Yield name and path of every file of the store, in order."""
        for folder in sorted((self.root / SHA256).glob("*")):
            for file in sorted(folder.iterdir()) if folder.is_dir() else []:
                yield file.name, file

    def free(self) -> int:
        """Return the free bytes of the file system."""
        return shutil.disk_usage(self.root).free

    def unfinished(self) -> int:
        """Return the bytes of what earlier runs have left unfinished."""
        return sum(file.stat().st_size for file in (self.root / PARTIAL).rglob("*") if file.is_file())

    def require(self, size: int) -> None:
        """Raise TaskFailed when *size* more bytes have no room."""
        free = self.free()
        if size + _KEPT_FREE > free:
            raise TaskFailed(
                f"{self.root}: found {units.size(free)} free; expected {units.size(size + _KEPT_FREE)} for the rest of "
                "the bundle; make room there, or name another place with --bundle"
            )


def broken(error: OSError, file: Path) -> DiskFault:
    """Return what the operator has to know about *error*, which reading or writing *file* has caused."""
    if error.errno == errno.ENOSPC:
        advice = "make room there, then run the same again: what has arrived is kept"
    else:
        advice = "look at the disk and at the owner of the file, then run the same again"
    place = Path(os.fsdecode(error.filename)) if error.filename else file
    return DiskFault(f"{paths.shown(place)}: {error.strerror or error}; expected a place to read and write; {advice}")


@contextmanager
def opened(root: Path, *, make: bool) -> Iterator[Store]:
    """Hold the bundle in *root* for writing: two builds at a time would spoil each other's unfinished files."""
    try:
        if make:
            root.mkdir(parents=True, exist_ok=True)
        lock = (root / ".lock").open("a")
    except OSError as error:
        raise broken(error, root) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(f"{root}: another run is writing to this bundle. Wait until it ends, or stop it.") from None
        yield Store(root)
