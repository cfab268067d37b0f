"""The site's container registry as seen from this machine."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.lab.site.errors import LabError
from tests.lab.site.layout import REGISTRY, UPSTREAM_REGISTRY

MANIFESTS = ", ".join(
    [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ]
)


def digests(registry: str = REGISTRY) -> dict[str, str]:
    """Return what *registry* holds: upstream name of each image -> digest of its manifest.

    Raises:
        LabError: it does not answer.
    """
    found = {}
    try:
        for repository in _get(registry, "/v2/_catalog")["repositories"] or []:
            for tag in _get(registry, f"/v2/{repository}/tags/list").get("tags") or []:
                request = urllib.request.Request(
                    f"http://{registry}/v2/{repository}/manifests/{tag}", headers={"Accept": MANIFESTS}, method="HEAD"
                )
                with _open(request) as response:
                    found[f"{UPSTREAM_REGISTRY}/{repository}:{tag}"] = response.headers["Docker-Content-Digest"]
    except (OSError, urllib.error.URLError) as error:
        raise LabError(f"the registry at {registry} does not answer: {error}; `lab up` starts it") from error
    return found


def write_lock(target: Path, images: dict[str, str]) -> None:
    """Write the lock file of a site: the digest of each image by its upstream name; its models stay."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".new")
    known = yaml.safe_load(target.read_text(encoding="utf-8")) if target.is_file() else None
    text = yaml.safe_dump({**(known or {}), "images": images}, sort_keys=True, default_flow_style=None, width=1000)
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)


def _get(registry: str, path: str) -> dict[str, Any]:
    with _open(urllib.request.Request(f"http://{registry}{path}")) as response:
        document: dict[str, Any] = json.load(response)
    return document


def _open(request: urllib.request.Request) -> Any:
    # No proxy: the site is on this machine.
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)
