"""Fetch one file: resumable, under another name until its sha256 is right, a mismatch deleted and reported."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any, Callable, Dict, Optional, Tuple

from .errors import RefusedError
from .progress import Progress

CHUNK = 1 << 20
ATTEMPTS = 5
PAUSE_SECONDS = 2.0
HTTP_PARTIAL = 206
HTTP_NOT_SATISFIABLE = 416

# Takes a URL and request headers, returns a file-like answer with `.status` or `.getcode()`.
Opener = Callable[[str, Dict[str, str]], Any]


def sha256_of(path: str, progress: Optional[Progress] = None) -> str:
    """Return the sha256 of *path* in hex."""
    digest = hashlib.sha256()
    done = 0
    with open(path, "rb") as source:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress.update(done)
    return digest.hexdigest()


def fetch(url: str, dest: str, sha256: str, opener: Opener, progress: Progress) -> int:
    """Bring *url* to *dest*; return the bytes that came over the network.

    Without a *sha256* ("", a signed delivery) whoever opens the file judges it.
    An earlier `.part` is continued. A file whose sha256 differs is deleted; when it was continued it is fetched
    once more from the start, because the old beginning may be what was wrong. Raises RefusedError.
    """
    part = dest + ".part"
    moved = 0
    while True:
        continued = os.path.exists(part) and os.path.getsize(part) > 0
        moved += fill(url, part, opener, progress)
        found = sha256_of(part)
        if found == sha256 or not sha256:
            os.chmod(part, 0o600)
            os.replace(part, dest)
            return moved
        size = os.path.getsize(part)
        os.unlink(part)
        if not continued:
            raise RefusedError(
                f"{url}: sha256 is {found} ({size} bytes), expected {sha256} from the release catalog; the file was "
                f"deleted. Replace the file on the mirror, or correct the release's checksum if the vendor changed it."
            )


def fill(url: str, part: str, opener: Opener, progress: Progress) -> int:
    """Append to *part* until the server has no more; return the bytes received. Raises RefusedError in the end."""
    moved = 0
    fault = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS * attempt)
        have = os.path.getsize(part) if os.path.exists(part) else 0
        try:
            answer = opener(url, {"Range": f"bytes={have}-"} if have else {})
        except OSError as error:
            if getattr(error, "code", 0) == HTTP_NOT_SATISFIABLE:
                return moved  # nothing left to send: the sha256 decides whether what we have is the file
            fault = str(error)
            continue
        resumed = have > 0 and answer.getcode() == HTTP_PARTIAL
        received, fault = _copy(answer, part, have if resumed else 0, progress)
        moved += received
        if not fault:
            return moved
    raise RefusedError(
        f"{url}: {fault} ({ATTEMPTS} attempts), expected the whole file. Look whether the address (the site's "
        f"mirror, or upstream) answers from this host, then run again: what has arrived is kept."
    )


def _copy(answer: Any, part: str, offset: int, progress: Progress) -> Tuple[int, str]:
    """Write the body of *answer* to *part* from *offset* on; return the bytes and the fault ("" is none)."""
    promised = answer.headers.get("Content-Length")
    received = 0
    if promised is not None and not progress.total_bytes:
        progress.total_bytes = offset + int(promised)
    try:
        with open(part, "r+b" if offset else "wb") as target:
            target.seek(offset)
            for chunk in iter(lambda: answer.read(CHUNK), b""):
                target.write(chunk)
                received += len(chunk)
                progress.update(offset + received)
    except OSError as error:
        return received, str(error)
    if promised is not None and received < int(promised):
        return received, f"the connection ended after {received} of {promised} bytes"
    return received, ""
