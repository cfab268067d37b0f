"""Bring one image to the host: judged before it is pulled, one canonical name whatever the mirror."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, Dict, List, Tuple

from ..state.images import identities, recorded
from .docker_api import DockerApi
from .errors import RefusedError
from .image_engine import describe, require_room, tag
from .image_manifest import ROOM_OF_A_PACKED_LAYER, Seen, judge, look
from .image_mirrors import Mirrors
from .image_names import HUB, place_of, split_reference
from .progress import Progress
from .registry_client import Login

STALL_SECONDS = 60.0
SILENCE_SECONDS = 300.0  # unpacking a large layer and writing it to a slow disk may take a while without a word
IDLE = ("Retrying", "Waiting", "Pulling fs layer")


def is_wanted(found: Dict[str, Any], image: Dict[str, Any]) -> bool:
    """Return whether a local image is the one that the site wants; where nothing is known of it, every one is."""
    if not found or (image["architecture"] and found["architecture"] != image["architecture"]):
        return False
    build, archive = image.get("build") or {}, image.get("archive") or {}
    if build:
        return bool(found["labels"].get(build["label"]) == build["key"])
    loaded = recorded().get(found["id"], {})
    marks = {image["digest"], image.get("id") or ""} - {""}
    if marks & identities({**found, "loaded": loaded}) or (archive and loaded.get("archive") == archive["sha256"]):
        return True
    return not marks and not archive


def engine_login(registry: str, login: Login) -> Dict[str, str]:
    """Return the header in which the engine takes a login for one request; {} without one."""
    if not login.user:
        return {}
    address = "https://index.docker.io/v1/" if registry == HUB else registry
    said = {"username": login.user, "password": login.password, "serveraddress": address}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(said).encode()).decode()}


class LayerBytes:
    """Adds up the per-layer progress that the engine reports, and sees when a registry has stopped sending."""

    def __init__(self) -> None:
        """Start with no layer known."""
        self._done: Dict[str, int] = {}
        self._total: Dict[str, int] = {}
        self._grown = time.monotonic()
        self._sum = 0

    def take(self, event: Dict[str, Any]) -> Tuple[int, int]:
        """Return downloaded and known bytes after *event*; unpacking is not counted again."""
        layer = str(event.get("id", ""))
        status = str(event.get("status", ""))
        detail = event.get("progressDetail") or {}
        if status == "Downloading" and detail.get("current"):
            self._done[layer] = int(detail["current"])
            self._total[layer] = max(int(detail.get("total") or 0), self._total.get(layer, 0))
        elif status in {"Download complete", "Pull complete"} and layer in self._total:
            self._done[layer] = max(self._total[layer], self._done.get(layer, 0))
        done = sum(self._done.values())
        if done != self._sum or not status.startswith(IDLE):
            self._sum, self._grown = done, time.monotonic()
        return done, sum(self._total.values())

    def stalled(self) -> float:
        """Return for how many seconds the engine has only tried again, and nothing came."""
        return time.monotonic() - self._grown


def pull(api: DockerApi, image: Dict[str, Any], mirrors: Mirrors, progress: Progress) -> Tuple[str, int]:
    """Pull *image* {name, digest, sources, architecture} and name it canonically; return source and bytes.

    Raises RefusedError with the reason of every source when none of them works.
    """
    progress.update(0, f"look which registry has {image['name']}", force=True)
    usable, faults = mirrors.order(list(image["sources"] or [image["name"]]))
    for source in usable:
        try:
            return source, _pull_from(api, source, image, mirrors, progress)
        except RefusedError as error:
            faults.append(f"{source}: {error}")
    raise RefusedError(
        f"{image['name']}: no source gave the image. "
        + "; ".join(faults)
        + ". Sources are the site's mirrors.registries, then the upstream name; look whether this host reaches one "
        "of them, and whether plain-HTTP registries stand in mirrors.insecure_registries."
    )


def _looked(source: str, image: Dict[str, Any], mirrors: Mirrors) -> Seen:
    """Return what the registry says it has; nothing known where only the engine can ask."""
    registry, path = place_of(source)
    if mirrors.blind(source):
        return Seen(image["digest"], "", image["architecture"], [], 0, 0)
    word = split_reference(source)[1]
    client, asked = mirrors.client(registry), {**image, "tag": word}
    try:
        seen = look(client, path, image["digest"] or word, asked)
    except RefusedError:
        if not (image["digest"] and image.get("id")):
            raise
        # a copy that was packed again has another digest; the same configuration names the same content
        seen = look(client, path, word, {**asked, "digest": ""})
        if seen.image_id != image["id"]:
            raise
    judge(seen, image)
    return seen


def _pull_from(api: DockerApi, source: str, image: Dict[str, Any], mirrors: Mirrors, progress: Progress) -> int:
    seen = _looked(source, image, mirrors)
    size = seen.size_bytes or int(image.get("size_bytes") or 0)
    require_room(api, image["name"], seen.room_bytes or size * ROOM_OF_A_PACKED_LAYER)
    progress.total_bytes = size
    repository, word = split_reference(source)
    registry = place_of(source)[0]
    layers, done = LayerBytes(), 0
    progress.update(0, f"pull {source}", force=True)
    exact = seen.digest if image["digest"] else ""
    query = {"fromImage": repository, "tag": exact or word}
    login = engine_login(registry, mirrors.client(registry).login)
    for event in api.stream("/images/create", query, login, silence=SILENCE_SECONDS):
        if "error" in event:
            raise RefusedError(str((event.get("errorDetail") or {}).get("message") or event["error"]))
        done, total = layers.take(event)
        progress.total_bytes = max(total, progress.total_bytes)
        progress.update(done)
        if layers.stalled() > STALL_SECONDS:
            raise RefusedError(f"nothing came for {STALL_SECONDS:.0f} s, {done} bytes had come before")
    _name(api, f"{repository}@{exact}" if exact else f"{repository}:{word}", image, seen)
    return done


def _name(api: DockerApi, local: str, image: Dict[str, Any], seen: Seen) -> None:
    """Give what was pulled as *local* the canonical name, if it is the image."""
    found = describe(api, local)
    faults: List[str] = []
    if not is_wanted(found, {**image, "archive": {}}):
        expected = (
            f"{image['digest'] or image.get('id') or 'any digest'} for {image['architecture'] or 'any architecture'}"
        )
        faults.append(f"gave digest {found.get('digests')} for {found.get('architecture')}, expected {expected}")
    elif seen.image_id and seen.image_id != found["id"] and found["id"] not in found["digests"]:
        faults.append(f"gave {found['id']} though its manifest says {seen.image_id}")
    if faults:
        said = "; ".join(faults)
        raise RefusedError(f"{said} (site.lock and the host's architecture); it was not named {image['name']}")
    tag(api, found["id"], image["name"])
