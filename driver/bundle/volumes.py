"""Split a bundle into folders of a given size, for discs and sticks, and join them again in any order."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt, ValidationError

from driver import units
from driver.bundle import contents
from driver.bundle.contents import Content, Manifest, Part, Sha256
from driver.bundle.store import CHUNK, Store, broken, sha256_of
from driver.errors import SiteError, TaskFailed, UsageError

FILE: Final = "volume.json"
_PIECES: Final = "pieces"
_RESERVED: Final = 4 << 20  # of every volume, for its list, the manifest, and the folders of a file system
SMALLEST: Final = 16 << 20


class Piece(Part):
    """Bytes *offset* up to offset + size of a content of *total* bytes; *piece* is the sum of these bytes alone."""

    sha256: Sha256
    total: Annotated[StrictInt, Field(ge=0)]
    offset: Annotated[StrictInt, Field(ge=0)]
    size: Annotated[StrictInt, Field(ge=0)]
    piece: Sha256


class Volume(Part):
    """The list of one volume, *number* of *count*."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    number: int
    count: int
    pieces: tuple[Piece, ...]


@dataclass(slots=True)
class _Plan:
    """Which bytes go to which volume."""

    room: int
    volumes: list[list[tuple[Content, int, int]]] = field(default_factory=lambda: [[]])
    used: int = 0

    def add(self, content: Content) -> None:
        """Put *content* behind what is planned; what does not fit goes on in the next volume."""
        offset = 0
        while True:
            if self.used >= self.room:
                self.volumes.append([])
                self.used = 0
            size = min(content.size - offset, self.room - self.used)
            self.volumes[-1].append((content, offset, size))
            offset, self.used = offset + size, self.used + size
            if offset >= content.size:
                return


def check(size: int) -> None:
    """Raise UsageError for volumes that are too small for their own lists."""
    if size < SMALLEST:
        raise UsageError(f"--volumes: found {units.size(size)}; expected at least {units.size(SMALLEST)}; give more")


def split(store: Store, manifest: Manifest, size: int, target: Path) -> list[Path]:
    """Write the bundle to volumes of at most *size* bytes below *target* and return them; what is right is kept.

    Raises TaskFailed when a content is missing, or volumes of another split are in the way.
    """
    check(size)
    plan = _Plan(size - _RESERVED)
    for sha256, (length, name) in sorted(manifest.contents().items(), key=lambda one: -one[1][0]):
        content = Content(sha256=sha256, size=length)
        if not store.has(content):
            raise TaskFailed(f"{name}: not in the store, or of another size; run `bundle build` before splitting")
        plan.add(content)
    for folder in sorted(target.glob(f"volume-*/{FILE}"))[len(plan.volumes) :]:
        raise TaskFailed(
            f"{folder.parent}: found a volume of another split; expected "
            f"{units.count(len(plan.volumes), 'volume')} there; remove it, or name another folder with --to"
        )
    made = []
    for number, pieces in enumerate(plan.volumes, 1):
        folder = target / f"volume-{number:03d}"
        try:
            _write(store, folder, number, len(plan.volumes), pieces)
            contents.write(folder, manifest)
        except OSError as error:
            raise broken(error, folder) from error
        made.append(folder)
    return made


def _write(store: Store, folder: Path, number: int, count: int, pieces: list[tuple[Content, int, int]]) -> None:
    (folder / _PIECES).mkdir(parents=True, exist_ok=True)
    listed = []
    for content, offset, size in pieces:
        target = folder / _PIECES / f"{content.sha256}.{offset}"
        if not (target.is_file() and target.stat().st_size == size):
            _cut(store.path(content.sha256), target, offset, size, whole=size == content.size)
        piece = content.sha256 if size == content.size else sha256_of(target)
        listed.append(Piece(sha256=content.sha256, total=content.size, offset=offset, size=size, piece=piece))
    names = {f"{piece.sha256}.{piece.offset}" for piece in listed}
    for file in (folder / _PIECES).iterdir():
        if file.name not in names:  # of an earlier split
            file.unlink()
    volume = Volume(number=number, count=count, pieces=tuple(listed))
    (folder / FILE).write_text(json.dumps(volume.model_dump(mode="json", by_alias=True), indent=1), encoding="utf-8")


def _cut(source: Path, target: Path, offset: int, size: int, *, whole: bool) -> None:
    """Make *target* the bytes of *source*: a hard link for all of them, where possible."""
    target.unlink(missing_ok=True)
    if whole:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
        return
    draft = target.with_suffix(".new")
    with source.open("rb") as given, draft.open("wb") as taken:
        given.seek(offset)
        for block in _blocks(given, size):
            taken.write(block)
    draft.replace(target)


def _blocks(given: object, size: int) -> Iterator[bytes]:
    while size and (block := given.read(min(CHUNK, size))):  # type: ignore[attr-defined]
        size -= len(block)
        yield block


def join(store: Store, manifest: Manifest, folder: Path) -> tuple[Manifest, str]:
    """Take the pieces of the volume in *folder*; contents whose last piece this was become whole and verified."""
    volume = _read(folder)
    manifest = contents.merged(manifest, contents.read(folder))
    store.require(sum(piece.size for piece in volume.pieces if not _has(store, piece)))
    whole = 0
    for piece in volume.pieces:
        if not _has(store, piece):
            try:
                whole += _take(store, folder, piece)
            except OSError as error:
                raise broken(error, folder) from error
    rest = [
        name for sha256, (size, name) in manifest.contents().items() if not store.has(Content(sha256=sha256, size=size))
    ]
    text = f"volume {volume.number} of {volume.count}: {units.count(whole, 'content')} became whole, "
    return manifest, text + (f"{len(rest)} still wait for other volumes" if rest else "the bundle is whole")


def _read(folder: Path) -> Volume:
    file = folder / FILE
    try:
        return Volume.model_validate_json(file.read_bytes())
    except OSError as error:
        raise SiteError(
            f"{folder}: no {FILE} ({error.strerror}); expected a folder that `bundle build --volumes` made"
        ) from error
    except ValidationError as error:
        raise SiteError(
            f"{file}: found no list of a volume; expected schema {contents.SCHEMA}; copy it again"
        ) from error


def _has(store: Store, piece: Piece) -> bool:
    return store.has(Content(sha256=piece.sha256, size=piece.total))


def _take(store: Store, folder: Path, piece: Piece) -> bool:
    """Take one piece; return whether its content is whole now."""
    source = folder / _PIECES / f"{piece.sha256}.{piece.offset}"
    if not source.is_file() or sha256_of(source) != piece.piece:
        raise TaskFailed(
            f"{source}: found {'another content' if source.is_file() else 'no file'}; "
            f"expected {piece.size} bytes with sha256 {piece.piece}; copy the volume again"
        )
    if piece.size == piece.total:
        store.take(source, piece.sha256)
        return True
    target, done = store.part(f"{piece.sha256}.joined"), store.part(f"{piece.sha256}.pieces")
    there = _noted(done) if target.exists() else {}
    if piece.offset not in there:
        with source.open("rb") as given, target.open("r+b" if target.exists() else "w+b") as taken:
            taken.seek(piece.offset)
            shutil.copyfileobj(given, taken, CHUNK)
            taken.flush()
            os.fsync(taken.fileno())
        with done.open("a" if there else "w", encoding="ascii") as noted:
            noted.write(f"{piece.offset} {piece.size}\n")
        there[piece.offset] = piece.size
    if sum(there.values()) < piece.total:
        return False
    found = sha256_of(target)
    done.unlink()
    if found != piece.sha256:  # its pieces were right one by one, so they were cut from two different bundles
        target.unlink()
        raise TaskFailed(
            f"{folder}: {piece.sha256}: joined it is {found}; expected volumes of one split; copy all again"
        )
    store.admit(target, piece.sha256)
    return True


def _noted(done: Path) -> dict[int, int]:
    """Return offset and size of the pieces that are in the joined file already."""
    words = done.read_text("ascii").split() if done.exists() else []
    return dict(zip(map(int, words[::2]), map(int, words[1::2]), strict=True))
