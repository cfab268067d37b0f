"""Bring the archive of an image to a folder of this host, from where the site keeps it, and compare its sha256."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import Any, Callable, Dict, List, NamedTuple

from .atomic import put
from .download import Opener, fetch, sha256_of
from .errors import RefusedError
from .folder_lock import held
from .progress import Progress
from .session import execute
from .vendor import free_bytes

FOLDER = "/var/cache/provision/images"
FILE = "image.tar"
SEEN = ".seen"  # beside the link to a person's file: what that was when it was compared
OBSUTIL_CONFIG = "/root/.obsutilconfig"
ORIGIN = "the sha256 of images.archive in site.yml"
SPARE = 1.02
LISTING_SECONDS = 120
LAST_LINES = 5


class Web(NamedTuple):
    """How this host asks a web server: for a file, and for its size."""

    opener: Opener
    size: Callable[[str], int]


def folder_of(archive: Dict[str, Any], folder: str) -> str:
    """Return the archive's own folder below *folder*: named by its content."""
    return os.path.join(folder, str(archive["sha256"]))


def bring(archive: Dict[str, Any], folder: str, timeout_seconds: float, web: Web) -> Dict[str, Any]:
    """Return {path, moved, set} of the *archive* in its own folder, after bringing it there if it is absent.

    set is how the agent of the moves calls its files. One that is named by its path stays there, and the folder has a
    link to it. Raises RefusedError.
    """
    place = folder_of(archive, folder)
    os.makedirs(place, mode=0o700, exist_ok=True)
    began = time.time()
    path = os.path.join(place, os.path.basename(archive.get("path") or FILE))
    step = Progress(
        "archive-" + archive["sha256"][:12], f"fetch {_place(archive)}", int(archive.get("size_bytes") or 0)
    )

    def waiting(holder: str) -> None:
        progress.update(0, f"wait for {holder}, which fetches the same archive")

    with step as progress, held(place + ".lock", timeout_seconds, waiting):
        moved = 0
        if not _is_there(archive, path):
            moved = _once_for_all(place, began, lambda: _bring(archive, path, timeout_seconds, web, progress))
        entry = {"path": os.path.basename(path), "size": os.path.getsize(path), "sha256": archive["sha256"]}
        return {"path": path, "moved": moved, "set": [entry]}


def _is_there(archive: Dict[str, Any], path: str) -> bool:
    """Return whether *path* was compared: what is ours before it got its name, a person's file as it is now."""
    if not archive.get("path"):
        return os.path.exists(path)
    try:
        with open(path + SEEN, encoding="utf-8") as source:
            return bool(json.load(source) == _state(path))
    except (OSError, ValueError):
        return False


def _state(path: str) -> List[int]:
    """Return what changes when another file is put in the place of *path*, or something is written into it."""
    found = os.stat(path)
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _once_for_all(place: str, began: float, act: Callable[[], int]) -> int:
    """Return what *act* returns; who waited since *began* while it failed for another host fails of the same."""
    note = place + ".fault"
    if os.path.exists(note) and os.stat(note).st_mtime > began:
        with open(note, encoding="utf-8") as source:
            raise RefusedError(source.read())
    try:
        return act()
    except RefusedError as error:
        put(note, str(error), 0o600)
        raise


def _bring(archive: Dict[str, Any], path: str, seconds: float, web: Web, progress: Progress) -> int:
    if archive.get("path"):
        if os.path.islink(path):
            os.unlink(path)  # to a file that has gone, or has become another one
        state = _verify(archive, progress)
        os.symlink(archive["path"], path)
        put(path + SEEN, json.dumps(state), 0o600)
        return 0
    _require_room(archive, path, web.size)
    if archive.get("obs"):
        return _by_obsutil(archive, path, seconds, progress)
    return _by_http(archive, path, web.opener, progress)


def remove(archive: Dict[str, Any], folder: str) -> bool:
    """Remove the archive's own folder, never a file of somebody else; return whether there was something."""
    place = folder_of(archive, folder)
    there = os.path.isdir(place)
    if there:
        shutil.rmtree(place)
    for ending in (".lock", ".fault"):
        if os.path.exists(place + ending):
            os.unlink(place + ending)
    return there


def _place(archive: Dict[str, Any]) -> str:
    return str(archive.get("url") or archive.get("obs") or archive.get("path"))


def _verify(archive: Dict[str, Any], progress: Progress) -> List[int]:
    """Return the state of the person's file that was compared; raises RefusedError."""
    path = archive["path"]
    if not os.path.isfile(path):
        raise RefusedError(f"{path}: no such file on this host; expected the archive (images.archive.path of site.yml)")
    progress.total_bytes = os.path.getsize(path)
    progress.update(0, f"verify {path}", force=True)
    state = _state(path)
    found = sha256_of(path, progress)
    if found != archive["sha256"]:
        raise RefusedError(f"{path}: sha256 is {found}, expected {archive['sha256']}, {ORIGIN}; nothing was loaded")
    return state


def _require_room(archive: Dict[str, Any], path: str, size: Callable[[str], int]) -> None:
    wanted = int(archive.get("size_bytes") or 0) or (size(archive["url"]) if archive.get("url") else 0)
    folder, part = os.path.dirname(path), path + ".part"
    rest = int((wanted - (os.path.getsize(part) if os.path.exists(part) else 0)) * SPARE)
    room = free_bytes(folder)
    if rest > room:
        raise RefusedError(
            f"{folder} has {room} bytes free, expected {rest} for {_place(archive)}: make room there, then run again"
        )


def _by_http(archive: Dict[str, Any], path: str, opener: Opener, progress: Progress) -> int:
    try:
        return fetch(archive["url"], path, archive["sha256"], opener, progress)
    except RefusedError as error:
        text = str(error).replace("the release catalog", "site.yml (images.archive.sha256)")
        text = text.replace("correct the release's checksum if the vendor changed it", "correct the sha256 there")
        raise RefusedError(text) from error


def _by_obsutil(archive: Dict[str, Any], path: str, seconds: float, progress: Progress) -> int:
    """Copy with the object storage's own client, which continues by its checkpoints; its code alone proves nothing."""
    part = path + ".part"
    checkpoints = path + ".checkpoints"
    flags = ["-f", "-vlength", "-vmd5", f"-cpd={checkpoints}", f"-config={OBSUTIL_CONFIG}"]
    argv: List[str] = ["obsutil", "cp", archive["obs"], part, *flags]

    def heard(_: str) -> None:
        progress.update(os.path.getsize(part) if os.path.exists(part) else 0)

    code, said = execute(argv, seconds, {"HOME": "/root"}, heard)
    if code != 0 or not os.path.isfile(part):
        last = " / ".join(said.strip().splitlines()[-LAST_LINES:])
        how = f"did not end within {seconds:.0f} s" if code is None else f"ended with {code}"
        raise RefusedError(f"obsutil cp {archive['obs']} {how}: {last}; look at obsutil of site.yml and at the bucket")
    found = sha256_of(part, progress)
    if found != archive["sha256"]:
        os.unlink(part)
        raise RefusedError(
            f"{archive['obs']}: sha256 is {found}, expected {archive['sha256']}, {ORIGIN}; the file was deleted"
        )
    os.chmod(part, 0o600)
    os.replace(part, path)
    return os.path.getsize(path)
