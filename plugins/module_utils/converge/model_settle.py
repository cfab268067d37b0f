"""What of a model is on the disk already, under whatever name, and whether the rest has room: before the first byte."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

from ..state import models
from . import model_files
from .errors import RefusedError
from .hub_files import HubFile
from .model_stage import Stage
from .progress import Progress
from .vendor import free_bytes

SPARE = 1.02


@dataclass
class Settled:
    """What *compare* found after everything that could be had on this host was taken."""

    good: List[Dict[str, Any]]
    missing: List[HubFile]
    removed: List[str]
    reused: int = 0


def settle(folder: str, files: List[HubFile], bad: Sequence[str], progress: Progress) -> Settled:
    """Compare *folder* with *files*, take what is there under another name, delete what is wrong.

    *bad* was seen before the lock was taken: those files are looked at again, none is deleted unread.
    """
    good, faults = model_files.compare(folder, files, progress, bad)
    wrong = {fault["file"] for fault in faults}
    missing = [entry for entry in files if entry["path"] in wrong]
    stage = Stage(folder, missing)
    reused = _reuse(folder, missing, stage)
    stage.take(final=True)
    taken = {entry["path"] for entry in stage.good}
    removed: List[str] = model_files.remove(folder, sorted(wrong - taken))
    missing = [entry for entry in missing if entry["path"] not in taken]
    model_files.note_verified(folder, good)
    return Settled(good + stage.good, missing, removed, reused if taken else 0)


def _reuse(folder: str, missing: List[HubFile], stage: Stage) -> int:
    """Offer the stage what has a wanted sum: files of the last revision, and of models that lie beside this one."""
    wanted = {entry["sha256"]: entry for entry in missing if entry["sha256"]}
    if not wanted:
        return 0
    count = 0
    for place in [folder, *_beside(folder)]:
        for name, sha256 in model_files.unchanged_since_manifest(place).items():
            entry = wanted.get(sha256)
            if entry is None or (place == folder and name == entry["path"]):
                continue  # what was just found wrong is no source
            target = model_files.inside(stage.path, entry["path"])
            if place != folder and not _own(os.path.join(place, name)):
                continue
            if target and not os.path.lexists(target) and _link(os.path.join(place, name), target):
                count += 1
    return count


def _beside(folder: str) -> List[str]:
    parent = os.path.dirname(folder.rstrip("/"))
    try:
        names = sorted(os.listdir(parent))
    except OSError:
        return []
    places = [os.path.join(parent, name) for name in names]
    return [place for place in places if place != folder and os.path.isfile(os.path.join(place, models.MANIFEST))]


def _link(source: str, target: str) -> bool:
    """Link *source*; on another file system it would be a copy, which the network brings as fast."""
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def _own(path: str) -> bool:
    """Return whether *path* is a file of our own account: whoever owns another could change it after the comparison."""
    found = os.lstat(path)
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


def lacking_bytes(folder: str, files: List[HubFile]) -> int:
    """Return how many bytes *files* still take, by sizes alone: what was begun counts as there."""
    rest = sum(max(0, entry["size"]) for entry in files if _size(folder, entry) != entry["size"])
    lacking: int = max(0, rest - _begun_bytes(os.path.join(folder, model_files.PARTS)))
    return lacking


def _begun_bytes(parts: str) -> int:
    """Return what an interrupted download has left; a file with a second name has its final one already."""
    total = 0
    for place, _, names in os.walk(parts):
        for name in names:
            found = os.lstat(os.path.join(place, name))
            total += found.st_size if found.st_nlink == 1 else 0
    return total


def _size(folder: str, entry: HubFile) -> int:
    path = model_files.inside(folder, entry["path"])
    try:
        return os.stat(path).st_size if path else -1
    except OSError:
        return -1


def check_rooms(needs: Dict[str, int]) -> None:
    """Refuse when a file system lacks room for what its folders in *needs* take together. Raises RefusedError."""
    by_device: Dict[int, List[str]] = {}
    for folder, rest in needs.items():
        if rest:
            by_device.setdefault(_device(folder), []).append(folder)
    for folders in by_device.values():
        rest = int(sum(needs[folder] for folder in folders) * SPARE)
        room = free_bytes(folders[0])
        if rest > room:
            raise RefusedError(
                f"{os.uname().nodename}: the file system of {', '.join(folders)} has {room} bytes free, "
                f"expected {rest} for what is still missing: make room, or choose another path in site.yml "
                "(models[].path). Nothing was moved."
            )


def _device(path: str) -> int:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev


def remove_strangers(folder: str, files: List[HubFile], before: Dict[str, Any]) -> List[str]:
    """Delete what only the last revision had (its manifest *before*), and what is broken even now.

    An engine would stumble on both; what a person put beside and is sound stays.
    """
    ours = {entry["path"] for entry in files}
    names = [entry["path"] for entry in before.get("files", [])]
    names += [entry["file"] for entry in models.observe(folder)["bad"]]
    gone: List[str] = model_files.remove(folder, [name for name in dict.fromkeys(names) if name not in ours])
    return gone
