"""Bring container images into the store straight from registries: by digest, per architecture, every blob verified."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Final

import requests

from driver.bundle.contents import Image, ImagePart
from driver.bundle.fetch import FetchError, Said, Wish, fetch
from driver.bundle.registry import INDEXES, MANIFESTS, Reference, Registry
from driver.bundle.store import Store
from driver.errors import TaskFailed

SHA256: Final = "sha256:"
_AT_A_TIME: Final = 3


@dataclass(frozen=True, slots=True)
class WantedImage:
    """An image of the site: *sources* are references in order, *digest* "" where nothing pins it."""

    name: str
    digest: str
    sources: tuple[str, ...]
    architectures: tuple[str, ...]
    size: int = 0


@dataclass(frozen=True, slots=True)
class Access:
    """How registries are spoken to: those that need no trusted TLS, and logins by host."""

    insecure: frozenset[str] = frozenset()
    logins: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    def registry(self, source: str) -> Registry:
        """Return the repository that *source* names."""
        reference = Reference.parse(source)
        plain = any(_covers(entry, reference.host) for entry in self.insecure)
        return Registry(reference, plain, self.logins.get(reference.host))


def _covers(entry: str, host: str) -> bool:
    """Return whether *entry* of the insecure registries, a registry or a network, is about *host*."""
    try:
        return entry == host or ("/" in entry and ip_address(host.partition(":")[0]) in ip_network(entry))
    except ValueError:  # a name, or a registry with a path
        return False


@dataclass(frozen=True, slots=True)
class Found:
    """What one registry says of an image; *documents* are its manifests, *blobs* what else has to be fetched."""

    registry: Registry
    digest: str
    media_type: str
    documents: dict[str, tuple[bytes, str]]
    blobs: tuple[ImagePart, ...]

    @property
    def size(self) -> int:
        """Return the bytes of the whole image."""
        return sum(part.size for part in self.parts())

    def parts(self) -> Iterator[ImagePart]:
        """Yield manifests and blobs, each once."""
        for digest, (text, kind) in self.documents.items():
            yield ImagePart(sha256=digest.removeprefix(SHA256), size=len(text), media_type=kind)
        yield from self.blobs


def look(wanted: WantedImage, access: Access) -> Found:
    """Ask the sources in order what the image consists of; raises TaskFailed with the reason of every source."""
    faults = []
    for source in wanted.sources:
        try:
            return _look_at(wanted, access.registry(source))
        except (FetchError, requests.RequestException) as error:
            faults.append(f"{source}: {error}")
        except (KeyError, TypeError, ValueError) as error:
            faults.append(f"{source}: found a manifest that can not be read ({type(error).__name__}: {error})")
    raise TaskFailed(
        f"{wanted.name}: no registry gave it. {'; '.join(faults)}. Sources are mirrors.registries of site.yml, then "
        "the upstream name; registries without TLS stand in mirrors.insecure_registries"
    )


def pull(store: Store, wanted: WantedImage, found: Found, client: requests.Session, said: Said) -> Image:
    """Bring everything of *found* into *store*; blobs that are there are not asked for again."""
    done: dict[str, int] = {}

    def bring(part: ImagePart) -> None:
        def heard(count: int) -> None:
            done[part.sha256] = count
            said(sum(done.values()))

        url = found.registry.blob(SHA256 + part.sha256)
        wish = Wish(
            f"{wanted.name} ({part.media_type})", (url,), part.sha256, part.size, "", {url: found.registry.open}
        )
        fetch(store, wish, client, heard)
        heard(part.size)

    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        list(threads.map(bring, found.blobs))
    for text, _ in found.documents.values():
        store.put(text)
    return Image(
        name=wanted.name,
        digest=found.digest,
        media_type=found.media_type,
        architectures=tuple(sorted(wanted.architectures)),
        parts=tuple(found.parts()),
    )


def _look_at(wanted: WantedImage, registry: Registry) -> Found:
    text, kind = registry.manifest(wanted.digest or registry.reference.tag)
    digest = _digest(text)
    if wanted.digest and digest != wanted.digest:
        raise FetchError(f"found {digest}, expected {wanted.digest} of site.lock")
    documents = {digest: (text, kind)}
    if kind in INDEXES:
        for inner in _chosen(json.loads(text), wanted.architectures):
            documents[inner] = registry.manifest(inner)
            if _digest(documents[inner][0]) != inner:
                raise FetchError(f"found {_digest(documents[inner][0])}, expected {inner} of the image's index")
    blobs: dict[str, ImagePart] = {}
    for body, media_type in documents.values():
        if media_type in MANIFESTS:
            blobs |= {part.sha256: part for part in _blobs(json.loads(body))}
    if kind in MANIFESTS:
        _fits(json.loads(text), wanted, registry)
    return Found(registry, digest, kind, documents, tuple(blobs.values()))


def _chosen(index: dict[str, Any], architectures: Iterable[str]) -> list[str]:
    """Return the digests of an index's manifests for *architectures*."""
    found: dict[str, str] = {}
    for entry in index.get("manifests", []):
        platform = entry.get("platform") or {}
        if platform.get("os", "linux") == "linux":
            found.setdefault(str(platform.get("architecture")), str(entry["digest"]))
    absent = [name for name in architectures if name not in found]
    if absent:
        there = ", ".join(sorted(found))
        raise FetchError(f"found an image for {there}, expected one for {', '.join(absent)}")
    return [found[name] for name in architectures]


def _blobs(manifest: dict[str, Any]) -> Iterator[ImagePart]:
    for entry in [manifest["config"], *manifest["layers"]]:
        digest = str(entry["digest"])
        if not digest.startswith(SHA256):
            raise FetchError(f"found {digest}, expected a digest of kind sha256")
        yield ImagePart(sha256=digest.removeprefix(SHA256), size=entry["size"], media_type=entry["mediaType"])


def _fits(manifest: dict[str, Any], wanted: WantedImage, registry: Registry) -> None:
    """Refuse an image of one architecture that is not the one that all hosts have, before its layers are moved."""
    digest = manifest["config"]["digest"]
    text = registry.text(digest)
    if _digest(text) != digest:
        raise FetchError(f"{registry.blob(digest)}: another content than its digest says")
    found = json.loads(text).get("architecture")
    if {found} != {*wanted.architectures}:
        raise FetchError(f"found an image for {found}, expected one for {', '.join(wanted.architectures)}")


def _digest(text: bytes) -> str:
    return SHA256 + hashlib.sha256(text).hexdigest()
