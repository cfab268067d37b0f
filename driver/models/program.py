"""The process that speaks to a source: one job on its standard input, one JSON document as its answer.

A process of its own, because the clients read the environment when they are loaded, write where they please, and can
hang: the driver gives it a folder, no secrets in its environment, and ends it when nothing comes any more.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from driver.models.manifest import inside
from driver.models.parts import File, Listing, Place, Source, SourceError, fault

PARTIAL = ".part"
MOST_SMALL_BYTES = 64 << 20
WORKERS = 4
LOOK_SECONDS = 0.5
ROUNDS = 2
_KINDS = {401: "refused", 403: "refused", 404: "absent", 429: "unreachable"}
_SERVER_FAULTS = 500


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Do *job* and return its answer; a fault is an answer, too."""
    place = Place(**job["place"])
    source: Source = importlib.import_module(f"driver.models.{job['module']}")
    try:
        if job["verb"] == "list":
            found = summed(source, place, source.listing(place))
            return {"revision": found.revision, "files": [asdict(file) for file in found.files]}
        files = tuple(File(**entry) for entry in job["files"])
        return {"files": [asdict(file) for file in fetch(source, place, files, Path(job["folder"]))]}
    except Exception as error:  # whatever a foreign client raises is told as a fault of its source
        kind, text = understood(error)
        return {"fault": kind, "text": text or source.CLIENT}


def summed(source: Source, place: Place, found: Listing) -> Listing:
    """Return *found* with the sha256 of its small files: hubs tell git's id of them, and only that of big ones."""
    _refuse_outside(found.files)
    folder = Path(place.cache) / "small"
    folder.mkdir(parents=True, exist_ok=True)
    pinned = replace(place, revision=found.revision or place.revision)
    silent = [file for file in found.files if not file.sha256 and file.git_sha1 and file.size <= MOST_SMALL_BYTES]
    with TemporaryDirectory(dir=folder) as own, ThreadPoolExecutor(WORKERS) as pool:
        whole = dict(zip(silent, pool.map(partial(_one, source, pinned, folder=Path(own)), silent), strict=True))
    return replace(found, files=tuple(whole.get(file, file) for file in found.files))


def fetch(source: Source, place: Place, files: tuple[File, ...], folder: Path) -> list[File]:
    """Have all *files* in *folder*, each compared before it gets its name; return them with their sha256."""
    _refuse_outside(files)
    missing = [file for file in files if not _there(folder, file)]
    if missing:
        source.prepare(place, tuple(missing))
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = [pool.submit(_one, source, place, file, folder) for file in files]
        try:
            return [done.result() for done in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _refuse_outside(files: tuple[File, ...]) -> None:
    """Raise SourceError for a name that leads out of the folder: names come from whoever answers as the source."""
    bad = [file.path for file in files if not inside(file.path)]
    if bad:
        raise SourceError("spoilt", f"lists {bad[0]!r}, which leads out of the model's folder; nothing was written")


def _there(folder: Path, file: File) -> bool:
    """Return whether *file* has its name already: it got that when it was compared."""
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def _one(source: Source, place: Place, file: File, folder: Path) -> File:
    path = folder / file.path
    if _there(folder, file) and file.sha256:
        return file
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PARTIAL)
    if _there(folder, file):
        path.replace(part)  # its checksum is not known here: count it
    reason = ""
    for _ in range(ROUNDS):
        source.bring(place, file, part)
        reason, sha256 = fault(part, file)
        if not reason:
            part.replace(path)
            return replace(file, sha256=sha256)
        part.unlink()
    raise SourceError("spoilt", f"{file.path}: {reason}; deleted after {ROUNDS} downloads")


def understood(error: BaseException) -> tuple[str, str]:
    """Return kind and text of what a client raised: what lies at the bottom of it says what it is."""
    chain = list(_chain(error))
    text = " ".join(str(error).split())[:400] or type(error).__name__
    for one in chain:
        if isinstance(one, SourceError):
            return one.kind, str(one)
        if isinstance(one, ImportError):
            return "client", ""
        if isinstance(one, OSError) and one.errno == errno.ENOSPC:
            return "room", text
        status = _status(one)
        if status:
            return _KINDS.get(status, "unreachable" if status >= _SERVER_FAULTS else "failed"), text
    lost = (
        "Connect",
        "Timeout",
        "MaxRetry",
        "NetworkError",
        "ProtocolError",
        "ReadError",
        "Incomplete",
        "ChunkedEncoding",
    )
    if any(word in type(one).__name__ for one in chain for word in lost):
        return "unreachable", text
    return "failed", f"{type(error).__name__}: {text}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in seen:
        seen.append(here)
        yield here
        here = here.__cause__ or here.__context__


def _status(error: BaseException) -> int:
    response = getattr(error, "response", None)
    for value in (getattr(response, "status_code", None), getattr(error, "status_code", None)):
        if isinstance(value, int):
            return value
    return 0


def _end_with(parent: int) -> None:
    """End this process and the clients that it has started when the driver is no more: nobody else would."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main() -> None:
    """Read the job and write the answer; what clients print goes to standard error."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    out, sys.stdout = sys.stdout, sys.stderr
    answer = run(json.load(sys.stdin))
    out.write(json.dumps(answer))


if __name__ == "__main__":
    main()
