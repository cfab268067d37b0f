"""Filters of the role container_image: which host brings an archive, and whom the others ask for it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import Any

FOLDER = "/var/cache/provision/images"
FILE = "image.tar"
EACH, FIRST = "each", "first"


def missing_images(hostvars: Mapping[str, Any], hosts: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of the images that each of *hosts* lacks, as it was observed."""
    drift = {host: hostvars[host]["host_state"]["drift"].get("container_image") or [] for host in hosts}
    return {host: [item["detail"]["name"] for item in items] for host, items in drift.items()}


def archive_ways(
    images: Iterable[Mapping[str, Any]], missing: Mapping[str, Iterable[str]], me: str, moves: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return how the archives of the images that are *missing*, by playing host, come to the host *me*.

    One entry for each: name, archive, folder, file and path there, fetcher (the host that asks the source), upstreams
    (whom to ask, nearest first; empty on the fetcher), shares (others want it, too), leads (is the first of them),
    passes (the fetcher does not want it itself). A host that has the image, or lacks only others, is no link.
    """
    lacking = {host: set(names) for host, names in missing.items()}
    addresses = {entry["host"]: entry["address"] for entry in moves["members"]}
    wanted = lacking.get(me, set())
    return [_way(image, lacking, me, addresses) for image in images if image.get("archive") and image["name"] in wanted]


def _way(
    image: Mapping[str, Any], lacking: Mapping[str, set[str]], me: str, addresses: Mapping[str, str]
) -> dict[str, Any]:
    archive, fetch = image["archive"], image["fetch"]
    users = [entry["host"] for entry in image["members"] if image["name"] in lacking.get(entry["host"], ())] or [me]
    fetcher = me if fetch == EACH else users[0] if fetch == FIRST else fetch
    line = [host for host in users if host != fetcher]
    before = line[: line.index(me)][::-1] if me in line else []
    upstreams = [{"name": host, "address": addresses[host]} for host in [*before, fetcher]] if me != fetcher else []
    folder = f"{FOLDER}/{archive['sha256']}"
    file = posixpath.basename(archive["path"]) if archive.get("path") else FILE
    return {
        "name": image["name"],
        "archive": archive,
        "folder": folder,
        "file": file,
        "path": f"{folder}/{file}",
        "fetcher": fetcher,
        "upstreams": upstreams,
        "shares": fetch != EACH and bool(line),
        "leads": me == users[0],
        "passes": fetcher not in users,
    }


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"archive_ways": archive_ways, "missing_images": missing_images}
