"""Routes of a read-only registry (Docker Registry API v2): the images of the bundle, for engines and other tools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from driver.bundle.contents import Image, ImagePart
from driver.bundle.registry import INDEXES, MANIFESTS
from driver.bundle.shelf import Answer, Index, Made, Stored, as_json

_VERSION: Final = {"Docker-Distribution-API-Version": "registry/2.0"}
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def base(_index: Index, _query: Mapping[str, str]) -> Answer:
    """Answer the question whether this is a registry."""
    return Made(b"{}", headers=_VERSION)


def catalog(index: Index, _: Mapping[str, str]) -> Answer:
    """Answer with the names of all repositories."""
    return as_json({"repositories": sorted(index.images)})


def tags(index: Index, _: Mapping[str, str], name: str) -> Answer:
    """Answer with the tags of a repository."""
    if name not in index.images:
        return _refusal("NAME_UNKNOWN", f"this bundle has no repository {name}")
    return as_json({"name": name, "tags": sorted(index.images[name])})


def manifest(index: Index, _: Mapping[str, str], name: str, reference: str) -> Answer:
    """Answer with a manifest or an index by tag or digest."""
    images = index.images.get(name, {})
    digest = _DIGEST.fullmatch(reference)
    wanted = digest[1] if digest else _named(images, reference)
    for image in images.values():
        for part in image.parts:
            if part.sha256 == wanted and part.media_type in (*INDEXES, *MANIFESTS):
                return _stored(part, part.media_type)
    return _refusal("MANIFEST_UNKNOWN", f"this bundle has no manifest {reference} of {name}")


def blob(index: Index, _: Mapping[str, str], name: str, digest: str) -> Answer:
    """Answer with a configuration or a layer."""
    found = _DIGEST.fullmatch(digest)
    for image in index.images.get(name, {}).values() if found else ():
        for part in image.parts:
            if found and part.sha256 == found[1]:
                return _stored(part, "application/octet-stream")
    return _refusal("BLOB_UNKNOWN", f"this bundle has no blob {digest} of {name}")


def _named(images: dict[str, Image], tag: str) -> str:
    return images[tag].digest.removeprefix("sha256:") if tag in images else ""


def _stored(part: ImagePart, kind: str) -> Stored:
    return Stored(part, kind, {**_VERSION, "Docker-Content-Digest": f"sha256:{part.sha256}"})


def _refusal(code: str, message: str) -> Made:
    text = as_json({"errors": [{"code": code, "message": message, "detail": {}}]}, HTTPStatus.NOT_FOUND)
    return Made(text.body, text.kind, text.status, _VERSION)


ROUTES: Final = (
    (r"/v2/?", base),
    (r"/v2/_catalog", catalog),
    (r"/v2/(?P<name>.+)/tags/list", tags),
    (r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)", manifest),
    (r"/v2/(?P<name>.+)/blobs/(?P<digest>[^/]+)", blob),
)
