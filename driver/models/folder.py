"""Models in a folder of this machine, or of storage that it sees."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from driver.models import manifest
from driver.models.parts import File, Listing, Place, SourceError

CLIENT = ""
OURS = (".provision-manifest.json", ".provision-lock", *manifest.NAMES)


def listing(place: Place) -> Listing:
    """Return the files of the folder, each with its sha256: that of its manifest, else of its content."""
    folder = Path(place.repo)
    if not folder.is_dir():
        raise SourceError("absent", f"{folder} is no folder of this machine")
    known = {file.path: file.sha256 for file in _listed(folder)}
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    missing = sorted(set(known) - set(names))
    if missing:
        raise SourceError("spoilt", f"{folder} lacks {', '.join(missing)}, which its manifest lists")
    files = [_file(folder, name, known) for name in names if name not in OURS]
    if not files:
        raise SourceError("absent", f"{folder} is empty")
    return Listing("", tuple(files))


def _listed(folder: Path) -> list[File]:
    for name in manifest.NAMES:
        if (folder / name).is_file():
            return manifest.read(name, (folder / name).read_text(encoding="utf-8"), str(folder / name))
    return []


def _file(folder: Path, name: str, known: dict[str, str]) -> File:
    path = folder / name
    if name in known:
        return File(name, path.stat().st_size, known[name])
    with path.open("rb") as content:
        return File(name, path.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest())


def prepare(place: Place, files: tuple[File, ...]) -> None:
    """Do nothing: every file is copied by itself."""


def bring(place: Place, file: File, part: Path) -> None:
    """Copy the file."""
    shutil.copyfile(Path(place.repo) / file.path, part)
