"""Judge an image by its manifest and its configuration, before its bytes are moved: processor, chip, digest, size."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Dict, List, NamedTuple, Optional

from .errors import RefusedError
from .image_names import foreign_suffix
from .registry_client import LISTS, NOT_FOUND, RegistryClient, StatusError

# A pull keeps the layers as they came while it unpacks them; compressed ones take about twice their size then.
ROOM_OF_A_LAYER = 2
ROOM_OF_A_PACKED_LAYER = 3
PACKED = ("gzip", "zstd")
# What the engines' images are built for stands as a build argument or a variable in their configuration.
_SOC = re.compile(r"\bSOC_VERSION=[\"']?(\w+)")


class Seen(NamedTuple):
    """What is known of an image before it is here; *image_id* is the digest of its configuration."""

    digest: str
    image_id: str
    architecture: str
    socs: List[str]
    size_bytes: int
    room_bytes: int
    tags: List[str] = []  # noqa: RUF012 - a NamedTuple's default is never changed


def platform_entry(listing: Dict[str, Any], architecture: str) -> Dict[str, Any]:
    """Return the entry of a manifest list that is for *architecture*. Raises RefusedError."""
    entries = listing.get("manifests") or []
    known: Dict[str, Any] = {}
    for entry in entries:
        platform = entry.get("platform") or {}
        if platform.get("os", "linux") == "linux":
            known.setdefault(platform.get("architecture", ""), entry)
    if architecture in known:
        return dict(known[architecture])
    names = ", ".join(sorted(name for name in known if name and name != "unknown")) or "nothing that is named"
    raise RefusedError(f"it is there for {names}, and this host needs {architecture}")


def socs_of(config: Dict[str, Any]) -> List[str]:
    """Return the chips that an image says it was built for, in small letters; many say nothing."""
    told = [str(line) for line in (config.get("config") or {}).get("Env") or []]
    told += [str(entry.get("created_by", "")) for entry in config.get("history") or []]
    return list(dict.fromkeys(found.lower() for line in told for found in _SOC.findall(line)))


def look(client: RegistryClient, repository: str, reference: str, image: Dict[str, Any]) -> Seen:
    """Return what the registry has as *reference* of *repository* for the host's processor. Raises RefusedError."""
    kind, text = _manifest(client, repository, reference, image)
    document, digest = _parsed(text), "sha256:" + hashlib.sha256(text).hexdigest()
    if kind in LISTS or "manifests" in document:
        entry = platform_entry(document, image["architecture"]) if image["architecture"] else document["manifests"][0]
        document = _parsed(client.manifest(repository, entry["digest"])[1])
    image_id = str((document.get("config") or {}).get("digest", ""))
    if not image_id:
        raise RefusedError(
            f"{client.host}/{repository}: {reference} is no manifest of an image that has a configuration"
        )
    config = _parsed(client.blob(repository, image_id))
    layers = [(int(one.get("size") or 0), str(one.get("mediaType", ""))) for one in document.get("layers") or []]
    room = sum(size * room_of(kind) for size, kind in layers)
    size = sum(size for size, _ in layers)
    return Seen(digest, image_id, str(config.get("architecture", "")), socs_of(config), size, room)


def room_of(kind: str) -> int:
    """Return how often the size of a layer of this media type it takes while it is pulled."""
    return ROOM_OF_A_PACKED_LAYER if kind.endswith(PACKED) else ROOM_OF_A_LAYER


def _manifest(client: RegistryClient, repository: str, reference: str, image: Dict[str, Any]) -> Any:
    try:
        return client.manifest(repository, reference)
    except StatusError as error:
        if error.status != NOT_FOUND or not image["digest"]:
            raise
        other = tag_digest(client, repository, image["tag"])
        if not other:
            raise
        raise RefusedError(
            f"{client.host} has {other} as {image['tag']} of {repository}, expected {image['digest']} (site.lock)"
        ) from error


def tag_digest(client: RegistryClient, repository: str, tag: str) -> str:
    """Return the digest that *tag* has now, "" when there is none."""
    try:
        return "sha256:" + hashlib.sha256(client.manifest(repository, tag)[1]).hexdigest()
    except RefusedError:
        return ""


def _parsed(text: bytes) -> Dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RefusedError(f"expected JSON, found {text[:60]!r}") from error
    if not isinstance(found, dict):
        raise RefusedError(f"expected a JSON object, found {text[:60]!r}")
    return found


def judge(seen: Seen, image: Dict[str, Any]) -> None:
    """Raise RefusedError when *seen* is not for this host, or not the image that the site names."""
    if image["architecture"] and seen.architecture != image["architecture"]:
        raise RefusedError(
            f"it was built for {seen.architecture or 'an unnamed processor'}, this host needs {image['architecture']} "
            "(hosts.arch of site.yml)"
        )
    _judge_chip(seen, image.get("chip") or {}, image["name"])
    wanted = image.get("id") or ""
    if wanted and seen.image_id != wanted:
        raise RefusedError(f"its id is {seen.image_id}, expected {wanted} (image_ids of site.lock)")


def _judge_chip(seen: Seen, chip: Dict[str, Any], name: str) -> None:
    pattern = chip.get("soc_pattern") or ""
    if pattern and seen.socs and not any(re.search(pattern, soc, re.IGNORECASE) for soc in seen.socs):
        raise RefusedError(
            f"it was built for {', '.join(seen.socs)}, and this host's chips are {pattern} (soc_pattern "
            "of the accelerator in the catalog): choose the image of the right chip"
        )
    for tag in seen.tags:
        suffix = foreign_suffix(tag, name, list(chip.get("others") or []))
        if suffix:
            raise RefusedError(f"it is called {tag}, and {suffix} stands for another chip than the one of {name}")


def only(images: List[Seen], image: Dict[str, Any], place: str) -> Seen:
    """Return the one of *images* that *image* means: by id, digest or name, or the only one for the processor."""
    fitting = [seen for seen in images if not image["architecture"] or seen.architecture == image["architecture"]]
    marks = {image.get("id") or "", image["digest"]} - {""}
    exact: Optional[Seen] = next((seen for seen in fitting if {seen.image_id, seen.digest} & marks), None)
    named = [seen for seen in fitting if image["name"] in seen.tags]
    for choice in ([exact] if exact else [], named, fitting):
        if len({seen.image_id for seen in choice}) == 1:
            return choice[0]
    told = "; ".join(f"{', '.join(seen.tags) or seen.image_id} for {seen.architecture}" for seen in images) or "nothing"
    raise RefusedError(
        f"{place} holds {told}; expected exactly one image for {image['architecture'] or 'this host'}, or one "
        f"called {image['name']}"
    )
