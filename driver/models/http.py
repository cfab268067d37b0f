"""Models in a folder of a web server that has a manifest of its files, by requests."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import requests

from driver.models import manifest
from driver.models.parts import CHUNK, File, Listing, Place, SourceError

CLIENT = "requests"
WAIT_SECONDS = (10, 60)  # to connect, and between two pieces
MOST_MANIFEST_BYTES = 32 << 20


def listing(place: Place) -> Listing:
    """Return the files of the manifest; sizes that it does not tell are asked for."""
    for name in manifest.NAMES:
        url = f"{place.repo}/{name}"
        with requests.get(url, timeout=WAIT_SECONDS, stream=True) as answer:
            if answer.status_code == HTTPStatus.NOT_FOUND:
                continue
            answer.raise_for_status()
            text = answer.raw.read(MOST_MANIFEST_BYTES, decode_content=True).decode("utf-8")
        return Listing("", tuple(_sized(place, file) for file in manifest.read(name, text, url)))
    raise SourceError("absent", f"{place.repo} has neither {' nor '.join(manifest.NAMES)}")


def _sized(place: Place, file: File) -> File:
    if file.size != manifest.UNKNOWN_SIZE:
        return file
    answer = requests.head(_url(place, file), timeout=WAIT_SECONDS, allow_redirects=True)
    answer.raise_for_status()
    return replace(file, size=int(answer.headers["Content-Length"]))


def _url(place: Place, file: File) -> str:
    return f"{place.repo}/{quote(file.path)}"


def prepare(place: Place, files: tuple[File, ...]) -> None:
    """Do nothing: every file is asked for by itself."""


def bring(place: Place, file: File, part: Path) -> None:
    """Continue *part* to the whole content."""
    have = part.stat().st_size if part.exists() else 0
    if have == file.size and have:
        return
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if 0 < have < file.size else {}
    with requests.get(_url(place, file), headers=headers, timeout=WAIT_SECONDS, stream=True) as answer:
        answer.raise_for_status()
        mode = "ab" if answer.status_code == HTTPStatus.PARTIAL_CONTENT else "wb"
        with part.open(mode) as target:
            for block in answer.iter_content(CHUNK):
                target.write(block)
