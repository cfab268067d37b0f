"""Add files by hand: vendors' files behind a login, by the names and sums that the site knows; and volumes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from driver.bundle import contents, volumes
from driver.bundle.contents import File, Manifest
from driver.bundle.store import Store
from driver.bundle.wanted import WantedFile
from driver.errors import UsageError
from driver.faults import listed, suggestion


def add(
    store: Store, manifest: Manifest, files: Iterable[Path], known: dict[str, WantedFile], *, other: bool
) -> tuple[Manifest, list[str]]:
    """Add *files* to the bundle and return its manifest and a line for each; a folder is a volume of a bundle.

    Raises UsageError for a name that the site does not ask for, unless *other* names are welcome, and TaskFailed for
    a file that is another one than the site expects.
    """
    lines = []
    for file in files:
        if file.is_dir():
            manifest, line = volumes.join(store, manifest, file)
        else:
            manifest, line = _one(store, manifest, file, known, other)
        contents.write(store.root, manifest)
        lines.append(line)
    return manifest, lines


def _one(
    store: Store, manifest: Manifest, file: Path, known: dict[str, WantedFile], other: bool
) -> tuple[Manifest, str]:
    if not file.is_file():
        raise UsageError(f"{file}: found no file; expected a file, or the folder of a volume; correct the path")
    wanted = known.get(file.name)
    if wanted is None and not other:
        raise UsageError(
            f"{file}: found {file.name}; expected one of the site's files: {listed(known)}; "
            f"{suggestion(file.name, known, 'rename it, name the site with --inventory, or give --other')}"
        )
    content = store.take(file, wanted.sha256 if wanted else "")
    kind = wanted.kind if wanted else "file"
    made = File(kind=kind, name=file.name, source="by hand", sha256=content.sha256, size=content.size)
    return contents.with_one(manifest, made), f"added {file.name}, sha256 {content.sha256}"
