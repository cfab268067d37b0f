"""What the engine says about one image, and what it is asked before: is it there, what is it called, is there room."""

from __future__ import annotations

from typing import Any, Dict
from urllib.parse import quote

from .docker_api import DockerApi
from .errors import RefusedError
from .image_names import split_reference
from .vendor import free_bytes


def describe(api: DockerApi, name: str) -> Dict[str, Any]:
    """Return id, digests, architecture, labels and the sums of the layers of a local image; {} when there is none."""
    found = api.get(f"/images/{quote(name, safe='/:@')}/json")
    if found is None:
        return {}
    return {
        "id": found.get("Id", ""),
        "digests": sorted({entry.split("@", 1)[1] for entry in found.get("RepoDigests") or [] if "@" in entry}),
        "architecture": found.get("Architecture", ""),
        "layers": list((found.get("RootFS") or {}).get("Layers") or []),
        "labels": (found.get("Config") or {}).get("Labels") or {},
    }


def tag(api: DockerApi, image_id: str, name: str) -> None:
    """Call the image by its canonical *name*."""
    repository, word = split_reference(name)
    api.post(f"/images/{quote(image_id, safe=':')}/tag", {"repo": repository, "tag": word})


def require_room(api: DockerApi, name: str, wanted: int) -> None:
    """Raise RefusedError when the engine's data root has less than *wanted* bytes."""
    root = str((api.get("/info") or {}).get("DockerRootDir") or "/var/lib/docker")
    room = free_bytes(root)
    if room < wanted:
        raise RefusedError(
            f"{name}: {root} has {room} bytes free, expected {wanted}: it lies there twice for a while. "
            "Make room (`provision prune` removes old images of the site), or choose another docker.data_root"
        )
