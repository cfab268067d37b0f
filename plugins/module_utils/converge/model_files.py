"""Compare the files of a model with what its hub says, and write down that they were compared."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from typing import Any, Collection, Dict, List, Optional, Sequence, Tuple

from .download import CHUNK, sha256_of
from .errors import RefusedError
from .hub_files import HubFile
from .progress import Progress

MANIFEST = ".provision-manifest.json"
# Folder of what has arrived and is not verified, and in it the list of what is.
PARTS = ".provision-parts"
VERIFIED = "verified.jsonl"
OURS = ".provision-"
# What clients leave behind when they are interrupted.
LEFTOVER_FOLDERS = ("._____temp",)
LEFTOVER_ENDINGS = (".incomplete", ".lock")
LEFTOVER_PLACES = ("", ".cache/huggingface/download", ".lock")


def bytes_below(folder: str) -> int:
    """Return how many bytes the files below *folder* take, unfinished ones as well."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue  # a client renames its unfinished files
    return total


def read_manifest(folder: str) -> Dict[str, Any]:
    """Return the manifest of *folder*, {} when there is none to be trusted."""
    try:
        with open(os.path.join(folder, MANIFEST), encoding="utf-8") as source:
            found = json.load(source)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("files"), list) else {}


def with_recorded_sums(folder: str, model: Dict[str, Any], files: List[HubFile]) -> List[HubFile]:
    """Return *files* of the hub, those without a checksum with the sha256 in the manifest of the same *model*."""
    manifest = read_manifest(folder)
    if any(manifest.get(key) != model[key] for key in ("repo", "revision", "source")):
        return files
    sizes = {entry["path"]: entry for entry in manifest["files"]}
    filled = []
    for entry in files:
        recorded = sizes.get(entry["path"], {})
        silent = not entry["sha256"] and not entry["git_sha1"] and recorded.get("size") == entry["size"]
        filled.append({**entry, "sha256": recorded["sha256"]} if silent else entry)
    return filled


def is_complete(folder: str, model: Dict[str, Any], files: Sequence[HubFile] = ()) -> bool:
    """Return whether the manifest is of this *model* and every file still has the size that was compared.

    *files* are what the source or site.lock says: a manifest that says otherwise is of other content.
    """
    manifest = read_manifest(folder)
    if not manifest or not all(
        _size(os.path.join(folder, entry["path"])) == entry["size"] for entry in manifest["files"]
    ):
        return False
    if any(manifest.get(key) != model[key] for key in ("repo", "revision", "source")):
        return False
    sums = {entry["path"]: (entry["size"], entry["sha256"]) for entry in manifest["files"]}
    return all(_fits(entry, sums.get(entry["path"])) for entry in files)


def _fits(entry: HubFile, known: Optional[Tuple[int, str]]) -> bool:
    """Return whether what the manifest has of a file is what its source says."""
    return known is not None and entry["size"] in {-1, known[0]} and entry["sha256"] in {"", known[1]}


def inside(folder: str, relative: str) -> str:
    """Return the path of *relative* in *folder*, "" when it points outside: such a name comes from somebody else."""
    path = os.path.normpath(os.path.join(folder, relative))
    return path if path.startswith(folder.rstrip("/") + "/") else ""


def of_a_model(folder: str, files: Sequence[HubFile]) -> List[HubFile]:
    """Return *files* without those that a host adds to a model: a folder that was uploaded from one has them, too.

    Raises RefusedError for a name that points outside of *folder*.
    """
    for entry in files:
        if not inside(folder, entry["path"]):
            raise RefusedError(f"the source names a file {entry['path']!r}, which would lie outside of {folder}")
    return [entry for entry in files if not entry["path"].startswith(OURS)]


def compare(
    folder: str, files: List[HubFile], progress: Progress, suspects: Collection[str] = ()
) -> Tuple[List[Dict[str, Any]], List[Dict[str, str]]]:
    """Return manifest entries of the good files and {file, reason} of the others.

    A file that the last manifest knows and nobody has written since is not read again unless it is one of *suspects*:
    hashing half a terabyte to mend one shard would take longer than to fetch it.
    """
    known = {**unchanged_since_manifest(folder), **read_verified(folder)}
    for name in suspects:
        known.pop(name, None)
    good: List[Dict[str, Any]] = []
    bad: List[Dict[str, str]] = []
    progress.total_bytes = sum(max(0, entry["size"]) for entry in files)
    done = 0
    for entry in files:
        path = inside(folder, entry["path"])
        progress.update(done, f"verify {entry['path']}")
        size = _size(path) if path else -1
        if size < 0 or entry["size"] not in {-1, size}:
            found = "missing" if size < 0 else f"{size} bytes"
            expected = f", expected {entry['size']} bytes" if entry["size"] >= 0 else ""
            bad.append({"file": entry["path"], "reason": found + expected})
            continue
        sha256 = known.get(entry["path"]) or sha256_of(path)
        reason = content_fault(path, sha256, entry)
        if reason:
            bad.append({"file": entry["path"], "reason": reason})
        else:
            good.append({"path": entry["path"], "size": size, "sha256": sha256})
        done += size
    return good, bad


def content_fault(path: str, sha256: str, entry: HubFile) -> str:
    """Return how the content of *path*, whose sha256 is known, differs from what its source says; "" it does not."""
    if entry["sha256"] and sha256 != entry["sha256"]:
        return f"sha256 {sha256}, expected {entry['sha256']}"
    if entry["git_sha1"] and git_sha1(path) != entry["git_sha1"]:
        return f"git object is not {entry['git_sha1']}"
    return ""


def git_sha1(path: str) -> str:
    """Return the id that git gives to the content of *path*: what Hugging Face names for small files."""
    digest = hashlib.sha1(f"blob {os.path.getsize(path)}\0".encode())  # noqa: S324 - git's own id, not a secret
    with open(path, "rb") as source:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def unchanged_since_manifest(folder: str) -> Dict[str, str]:
    """Return path to sha256 of the files that have the manifest's size and are not younger than it."""
    manifest = read_manifest(folder)
    if not manifest:
        return {}
    written = os.stat(os.path.join(folder, MANIFEST)).st_mtime_ns
    known = {}
    for entry in manifest["files"]:
        path = inside(folder, entry["path"])
        if path and _size(path) == entry["size"] and os.stat(path).st_mtime_ns <= written:
            known[entry["path"]] = entry["sha256"]
    return known


def read_verified(folder: str) -> Dict[str, str]:
    """Return path to sha256 of what a download that is not done yet has verified and nobody has written since."""
    try:
        with open(os.path.join(folder, PARTS, VERIFIED), encoding="utf-8") as source:
            rows = [json.loads(line) for line in source]
    except (OSError, ValueError):
        return {}
    known = {}
    for name, sha256, size, written in rows:
        path = inside(folder, name)
        if path and _size(path) == size and os.stat(path).st_mtime_ns == written:
            known[name] = sha256
    return known


def note_verified(folder: str, entries: Sequence[Dict[str, Any]]) -> None:
    """Remember that *entries* {path, size, sha256} were compared: a run that goes on need not read them again."""
    os.makedirs(os.path.join(folder, PARTS), mode=0o755, exist_ok=True)
    path = os.path.join(folder, PARTS, VERIFIED)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "a", encoding="utf-8") as target:
        for entry in entries:
            written = os.stat(os.path.join(folder, entry["path"])).st_mtime_ns
            target.write(json.dumps([entry["path"], entry["sha256"], entry["size"], written]) + "\n")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def remove(folder: str, names: List[str]) -> List[str]:
    """Delete *names* below *folder*; return those that were there."""
    removed = []
    for name in names:
        path = inside(folder, name)
        if path and os.path.isfile(path):
            os.unlink(path)
            removed.append(name)
    return removed


def remove_leftovers(folder: str, kept: Collection[str] = ()) -> None:
    """Delete what an interrupted client left, so that nobody takes it for a part of the model; *kept* are its files."""
    for name in LEFTOVER_FOLDERS:
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    for place in LEFTOVER_PLACES:
        where = os.path.join(folder, place)
        for name in os.listdir(where) if os.path.isdir(where) else []:
            if os.path.join(place, name) in kept or not name.endswith(LEFTOVER_ENDINGS):
                continue
            if os.path.isfile(os.path.join(where, name)):
                os.unlink(os.path.join(where, name))


def write_manifest(folder: str, model: Dict[str, Any], files: List[Dict[str, Any]]) -> None:
    """Write what was compared; this is the last step, so a manifest means a whole model."""
    path = os.path.join(folder, MANIFEST)
    content = {key: model[key] for key in ("repo", "revision", "source")}
    if os.path.lexists(path + ".new"):
        os.unlink(path + ".new")
    handle = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(handle, "w", encoding="utf-8") as target:
        json.dump({**content, "files": files}, target, indent=1)
        target.flush()
        os.fsync(target.fileno())
    os.chmod(path + ".new", 0o644)
    # a file that carries a later time than the clock would look as if it were written after this
    times = [os.stat(os.path.join(folder, entry["path"])).st_mtime_ns for entry in files]
    newest = max([time.time_ns(), *times])
    os.utime(path + ".new", ns=(newest, newest))
    os.replace(path + ".new", path)
