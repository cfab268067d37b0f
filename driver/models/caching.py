"""This machine's cache of models: a folder `sets/<id>` for each, named so when every file was compared, not before."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from driver.models.asking import PATIENT, Limits, SourceFailed, bring, cache, failed
from driver.models.parts import File, Place, SourceError, set_id

SPARE = 1.02
SETS = "sets"
PARTIAL = ".partial"
NOTE = ".files.json"


def folder_of(files: tuple[File, ...]) -> Path:
    """Return where the set of *files* is, or would be."""
    return cache() / SETS / set_id(files)


def known(files: tuple[File, ...]) -> tuple[Path, tuple[File, ...]] | None:
    """Return the folder of *files* and what is known of them when the cache has them whole; None when it does not."""
    folder = folder_of(files)
    try:
        noted = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        whole = tuple(File(**entry) for entry in noted)
        if all((folder / file.path).stat().st_size == file.size for file in whole):
            return folder, whole
    except (OSError, ValueError, TypeError):
        pass
    return None


def ensure(
    where: Place, files: tuple[File, ...], limits: Limits = PATIENT, moved: Callable[[int], None] | None = None
) -> tuple[Path, tuple[File, ...]]:
    """Have the set of *files* in the cache; return its folder and the files with their sha256. Raises SourceFailed."""
    final = folder_of(files)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with _alone(final.with_name(f"{final.name}.lock")):
            return known(files) or _fetched(where, files, final, limits, moved)
    except OSError as error:
        raise failed(where, SourceError("room", f"{final}: {error.strerror}")) from error


def _fetched(
    where: Place, files: tuple[File, ...], final: Path, limits: Limits, moved: Callable[[int], None] | None
) -> tuple[Path, tuple[File, ...]]:
    partial = final.with_name(final.name + PARTIAL)
    partial.mkdir(exist_ok=True)
    check_room(where, files, partial)
    try:
        whole = bring(where, files, partial, limits, moved)
    except SourceFailed as error:  # not every client says that the disk is full
        if error.kind != "room" and _lacking(files, partial):
            text = f"{_lacking(files, partial)}, after the client failed ({error})"
            raise failed(where, SourceError("room", text)) from error
        raise
    (partial / NOTE).write_text(json.dumps([asdict(file) for file in whole]), encoding="utf-8")
    _drop(final)
    partial.replace(final)
    _drop(partial.with_name(partial.name + ".client"))
    return final, whole


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Wait until no other run fetches the same set: two clients in one folder would spoil it."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        file.unlink(missing_ok=True)


def _drop(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)


def check_room(where: Place, files: tuple[File, ...], folder: Path) -> None:
    """Raise SourceFailed before the first byte when what is missing has no room."""
    text = _lacking(files, folder)
    if text:
        raise failed(where, SourceError("room", text))


def _lacking(files: tuple[File, ...], folder: Path) -> str:
    """Return how much room is missing for the rest of *files*, "" for none."""
    present = 0
    for file in files:
        for name in (file.path, f"{file.path}.part"):
            with suppress(OSError):
                present += (folder / name).stat().st_size
    rest = int((sum(file.size for file in files) - present) * SPARE)
    room = shutil.disk_usage(folder).free
    return f"{folder} has {room} bytes free, and {rest} are missing" if rest > room else ""
