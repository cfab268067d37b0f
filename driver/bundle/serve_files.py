"""Routes of plain files: packages, contents by sum, models, package repositories, and the index of Python packages."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from driver.bundle import contents
from driver.bundle.shelf import Answer, Index, Made, Stored, as_json
from driver.bundle.wheels import normalised, project

_HTML: Final = "text/html; charset=utf-8"
_BY_HASH = re.compile(r"(?:.*/)?by-hash/SHA256/([0-9a-f]{64})")


def absent(what: str) -> Made:
    """Return the answer about something that the bundle does not have."""
    return Made(f"this bundle has no {what}\n".encode(), "text/plain; charset=utf-8", HTTPStatus.NOT_FOUND)


def top(index: Index, _: Mapping[str, str]) -> Answer:
    """Answer with what there is, for a person."""
    manifest = index.manifest
    lines = [f"bundle of provision for {', '.join(manifest.sites) or 'no site yet'}"]
    lines += [f"packages/{file.name}" for file in manifest.files if file.kind != "wheel"]
    lines += [f"image {image.name} {image.digest}" for image in manifest.images]
    lines += [f"{name}/ {len(files)} files" for name, files in index.sets.items()]
    lines += ["simple/", contents.FILE]
    return Made(("\n".join(lines) + "\n").encode(), "text/plain; charset=utf-8")


def manifest(index: Index, _: Mapping[str, str]) -> Answer:
    """Answer with the manifest."""
    return as_json(index.manifest.model_dump(mode="json", by_alias=True))


def package(index: Index, _: Mapping[str, str], name: str) -> Answer:
    """Answer with a file by its name."""
    content = index.files.get(name)
    return Stored(content) if content else absent(f"file {name}")


def by_sum(index: Index, _: Mapping[str, str], sha256: str) -> Answer:
    """Answer with a content by its sum."""
    content = index.contents.get(sha256)
    return Stored(content) if content else absent(f"content {sha256}")


def of_set(index: Index, _: Mapping[str, str], name: str, path: str) -> Answer:
    """Answer with a file of a model or of a repository."""
    files = index.sets.get(name)
    if files is None:
        return absent(name)
    content = files.get(path)
    hashed = _BY_HASH.fullmatch(path)
    if content is None and hashed and any(one.sha256 == hashed[1] for one in files.values()):
        content = index.contents[hashed[1]]
    return Stored(content) if content else absent(f"file {path} in {name}")


def model_manifest(index: Index, query: Mapping[str, str], name: str) -> Answer:
    """Answer with the files of a model, as hosts that fetch it by plain HTTP read them."""
    model = index.models.get(name)
    if model is None or any(entry.path == contents.FILE for entry in model.files):
        return of_set(index, query, f"models/{name}", contents.FILE)
    return as_json({"schema": 1, "files": [entry.model_dump() for entry in model.files]})


def projects(index: Index, _: Mapping[str, str]) -> Answer:
    """Answer with the names of all Python packages (PEP 503)."""
    return _page(f'<a href="{name}/">{name}</a>' for name in sorted(_wheels(index)))


def project_files(index: Index, _: Mapping[str, str], name: str) -> Answer:
    """Answer with the files of one Python package."""
    files = _wheels(index).get(normalised(name))
    if files is None:
        return absent(f"Python package {name}")
    return _page(
        f'<a href="../../packages/{quote(file)}#sha256={sha256}">{html.escape(file)}</a>'
        for file, sha256 in sorted(files.items())
    )


def _wheels(index: Index) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for file in index.manifest.files:
        if file.kind == "wheel":
            found[project(file.name)[0]][file.name] = file.sha256
    return found


def _page(lines: Iterable[str]) -> Made:
    text = "<br>\n".join(lines)
    return Made(f"<!DOCTYPE html><html><body>\n{text}\n</body></html>\n".encode(), _HTML)


ROUTES: Final = (
    (r"/", top),
    (rf"/{re.escape(contents.FILE)}", manifest),
    (r"/packages/(?P<name>[^/]+)", package),
    (r"/sha256/(?:[0-9a-f]{2}/)?(?P<sha256>[0-9a-f]{64})", by_sum),
    (rf"/models/(?P<name>[^/]+)/{re.escape(contents.FILE)}", model_manifest),
    (r"/(?P<name>(?:models|apt|rpm)/[^/]+)/+(?P<path>.+)", of_set),
    (r"/simple/?", projects),
    (r"/simple/(?P<name>[^/]+)/?", project_files),
)
