"""Bring one image to the host: sources in order, the digest compared, one canonical name whatever the mirror."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple
from urllib.parse import quote

from .docker_api import DockerApi
from .errors import RefusedError
from .progress import Progress


def split_reference(reference: str) -> Tuple[str, str]:
    """Return repository and tag of *reference*; a port in the registry's name is not a tag."""
    plain = reference.split("@", 1)[0]
    head, colon, tail = plain.rpartition(":")
    if colon and "/" not in tail:
        return head, tail
    return plain, "latest"


def describe(api: DockerApi, name: str) -> Dict[str, Any]:
    """Return id, digests and architecture of a local image; {} when there is none."""
    found = api.get(f"/images/{quote(name, safe='/:@')}/json")
    if found is None:
        return {}
    digests = sorted({entry.split("@", 1)[1] for entry in found.get("RepoDigests") or [] if "@" in entry})
    return {"id": found.get("Id", ""), "digests": digests, "architecture": found.get("Architecture", "")}


def is_wanted(found: Dict[str, Any], digest: str, architecture: str) -> bool:
    """Return whether a local image is the one that the site wants; an unknown digest accepts every one."""
    if not found or (architecture and found["architecture"] != architecture):
        return False
    return not digest or digest in found["digests"] or digest == found["id"]


class LayerBytes:
    """Adds up the per-layer progress that the engine reports."""

    def __init__(self) -> None:
        """Start with no layer known."""
        self._done: Dict[str, int] = {}
        self._total: Dict[str, int] = {}

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
        return sum(self._done.values()), sum(self._total.values())


def pull(api: DockerApi, image: Dict[str, Any], progress: Progress) -> Tuple[str, int]:
    """Pull *image* {name, digest, sources, architecture} and name it canonically; return source and bytes.

    Raises RefusedError with the reason of every source when none of them works.
    """
    faults: List[str] = []
    for source in image["sources"] or [image["name"]]:
        try:
            done = _pull_from(api, source, image, progress)
        except RefusedError as error:
            faults.append(f"{source}: {error}")
            continue
        return source, done
    raise RefusedError(
        f"{image['name']}: no source gave the image. "
        + "; ".join(faults)
        + ". Sources are the site's mirrors.registries, then the upstream name; look whether this host reaches one "
        "of them, and whether plain-HTTP registries stand in mirrors.insecure_registries."
    )


def _pull_from(api: DockerApi, source: str, image: Dict[str, Any], progress: Progress) -> int:
    repository, tag = split_reference(source)
    layers = LayerBytes()
    done = 0
    progress.update(0, f"pull {source}", force=True)
    for event in api.stream("/images/create", {"fromImage": repository, "tag": image["digest"] or tag}):
        if "error" in event:
            raise RefusedError(str((event.get("errorDetail") or {}).get("message") or event["error"]))
        done, total = layers.take(event)
        progress.total_bytes = max(total, progress.total_bytes)
        progress.update(done)
    local = f"{repository}@{image['digest']}" if image["digest"] else f"{repository}:{tag}"
    found = describe(api, local)
    if not is_wanted(found, image["digest"], image["architecture"]):
        expected = f"{image['digest'] or 'any digest'} for {image['architecture'] or 'any architecture'}"
        raise RefusedError(
            f"gave digest {found.get('digests')} for {found.get('architecture')}, expected {expected} (site.lock and "
            f"the host's architecture); it was not named {image['name']}"
        )
    name, name_tag = split_reference(image["name"])
    api.post(f"/images/{quote(found['id'], safe=':')}/tag", {"repo": name, "tag": name_tag})
    return done
