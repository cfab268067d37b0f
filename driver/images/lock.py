"""Ask the registries what the tags of a site stand for now: digests, and the ids of what is loaded from archives."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from driver import paths
from driver.bundle.images import Access, Found, WantedImage, look
from driver.bundle.registry import INDEXES
from driver.errors import TaskFailed
from driver.resolved import ResolvedImage, ResolvedSite
from driver.vaults import Secrets

KEPT, LOCKED, RENEWED, FAILED = "kept", "locked", "renewed", "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: *digest* of what its tag stands for, *ids* of its configurations by architecture."""

    image: str
    state: str
    digest: str = ""
    before: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    def sentence(self) -> str:
        """Return the outcome as one line."""
        if self.fault:
            return f"{self.image}: {self.state}: {self.fault}"
        moved = f", before {self.before}" if self.before not in {"", self.digest} else ""
        return f"{self.image}: {self.state}: {self.digest} for {', '.join(sorted(self.ids)) or 'as it was'}{moved}"


def lock(site: ResolvedSite, *, update: bool = False, only: Collection[str] | None = None) -> list[Outcome]:
    """Ask for the images that are not locked, for all with *update*, and write what they are into site.lock.

    Only what is pulled is asked for: an archive is pinned by its sha256, what is built by its Dockerfile and its base.
    An image that no registry gave keeps what was locked of it. Raises SiteError when a password is missing or the
    file cannot be written.
    """
    from driver.models import locking  # it writes the one file that both share

    chosen = [image for image in site.images if image.sources and (only is None or image.name in only)]
    known = {image.name: image.digest for image in chosen}
    asked = wanted(image for image in chosen if update or not image.digest)
    way = access(site) if asked else Access()
    found = {one.name: _asked(one, known[one.name], way) for one in asked}
    good = [one for one in found.values() if not one.fault]
    if good:
        digests, ids = {one.image: one.digest for one in good}, {one.image: one.ids for one in good}
        locking.put(site.folder / paths.LOCK_FILE, {"images": digests, "image_ids": ids})
    return [found.get(name) or Outcome(name, KEPT, digest, digest) for name, digest in known.items()]


def access(site: ResolvedSite) -> Access:
    """Return how the registries of *site* are spoken to; raises SiteError when one of its passwords is nowhere."""
    secrets = Secrets(site.folder, site.secrets, site.vault.model_dump() if site.vault else None)
    insecure = site.docker.daemon_options.get("insecure-registries", [])
    logins = {one["host"]: (one["user"], secrets.value(one["secret"])) for one in site.registries}
    return Access(frozenset(map(str, insecure)), logins)


def wanted(images: Iterable[ResolvedImage]) -> list[WantedImage]:
    """Return what registries are asked for: each image once, with all its architectures and without its digest."""
    architectures: dict[str, set[str]] = defaultdict(set)
    sources: dict[str, tuple[str, ...]] = {}
    for image in images:
        architectures[image.name].add(image.architecture)
        sources[image.name] = image.sources
    return [WantedImage(name, "", places, tuple(sorted(architectures[name]))) for name, places in sources.items()]


def _asked(one: WantedImage, before: str, way: Access) -> Outcome:
    try:
        found = look(one, way)
        ids = _ids(found, one.architectures)
    except (TaskFailed, KeyError, TypeError, ValueError) as error:
        return Outcome(one.name, FAILED, before, before, fault=str(error))
    return Outcome(one.name, RENEWED if before else LOCKED, found.digest, before, ids)


def _ids(found: Found, architectures: Iterable[str]) -> dict[str, str]:
    """Return the ids by architecture; an image without a list was found to be for *architectures* alone."""
    text, kind = found.documents[found.digest]
    if kind not in INDEXES:
        return dict.fromkeys(architectures, _id(text))
    listed = [(str(entry["digest"]), entry.get("platform") or {}) for entry in json.loads(text)["manifests"]]
    return {
        str(platform["architecture"]): _id(found.documents[digest][0])
        for digest, platform in listed
        if digest in found.documents
    }


def _id(manifest: bytes) -> str:
    return str(json.loads(manifest)["config"]["digest"])
