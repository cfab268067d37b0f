"""Take programs out of a .tar.gz into a folder of the host, and remember exactly which: so that they can go again."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from typing import Any, Dict, List, NamedTuple

from ..state.programs import stamp
from .atomic import put
from .download import sha256_of
from .errors import RefusedError

MODE = 0o755


class Place(NamedTuple):
    """Where programs go: their folder, the file that remembers them, and the one that says that a restart is owed."""

    folder: str
    marker: str
    mark: str = ""


def noted(marker: str) -> Dict[str, Dict[str, Any]]:
    """Return path to {sha256, stamp} of what *marker* lists; {} without one."""
    try:
        with open(marker, encoding="utf-8") as source:
            return dict(json.load(source)["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def members(archive: str, names: List[str]) -> Dict[str, tarfile.TarInfo]:
    """Return the programs in the one folder of *archive* by name: *names*, or all of them. Raises RefusedError."""
    try:
        with tarfile.open(archive) as source:
            found = {os.path.basename(entry.name): entry for entry in source.getmembers() if entry.isfile()}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise RefusedError(f"{archive} can not be read as an archive: {error}. Delete it and run again.") from error
    wanted = names or sorted(found)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise RefusedError(
            f"{archive} lacks {', '.join(missing)}; it has {', '.join(sorted(found)) or 'no file'}. It is not the "
            f"archive that the release catalog describes: correct the file on the mirror, or the release."
        )
    return {name: found[name] for name in wanted}


def in_the_way(paths: List[str], marker: str) -> List[str]:
    """Return those of *paths* that exist and that *marker* does not list: they are somebody else's."""
    ours = noted(marker)
    return [path for path in paths if os.path.lexists(path) and path not in ours]


def unpack(archive: str, names: List[str], place: Place, version: str) -> List[str]:
    """Put the programs of *archive* into *folder*; return their paths. Raises RefusedError before anything changes.

    The marker is written first, with everything that is going to be there: a run that is killed half-way leaves
    nothing that nobody knows. So is the mark of a restart: programs that are right again do not tell that somebody
    still runs the former ones.
    """
    found, marker = members(archive, names), place.marker
    paths = {name: os.path.join(place.folder, name) for name in found}
    foreign = in_the_way(list(paths.values()), marker)
    if foreign:
        raise RefusedError(
            f"{', '.join(foreign)} {'is' if len(foreign) == 1 else 'are'} there already, and provision did not put "
            f"them there. Remove them the way they were installed, then run again; nothing was overwritten."
        )
    old = noted(marker)
    files = {path: old.get(path, {"sha256": "", "stamp": []}) for path in [*old, *paths.values()]}
    _note(marker, "", files)
    if place.mark:
        put(place.mark, "", 0o644, folder_mode=0o755)
    with tarfile.open(archive) as source:
        for name, entry in found.items():
            _extract(source, entry, paths[name])
            files[paths[name]] = {"sha256": sha256_of(paths[name]), "stamp": stamp(paths[name])}
    for path in set(old) - set(paths.values()):  # an older version had more programs
        if os.path.isfile(path):
            os.unlink(path)
        del files[path]
    _note(marker, version, files)
    return sorted(paths.values())


def remove(marker: str) -> List[str]:
    """Delete what *marker* lists, and the marker; return the paths of those left because somebody changed them."""
    left = []
    for path, entry in noted(marker).items():
        if not os.path.isfile(path):
            continue
        if entry["sha256"] and sha256_of(path) != entry["sha256"]:
            left.append(path)
        else:
            os.unlink(path)
    if os.path.exists(marker):
        os.unlink(marker)
    return left


def _extract(source: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> None:
    """Write one member beside *path* and rename it: a program that runs can not be written to."""
    draft = path + ".provision-new"
    stream = source.extractfile(entry)
    if stream is None:
        raise RefusedError(f"{entry.name} of the archive has no content")
    with open(draft, "wb") as target:
        shutil.copyfileobj(stream, target)
        target.flush()
        os.fsync(target.fileno())
    os.chmod(draft, MODE)
    os.replace(draft, path)


def _note(marker: str, version: str, files: Dict[str, Dict[str, Any]]) -> None:
    put(marker, json.dumps({"version": version or None, "files": files}, indent=1), 0o600)
