"""What the roles noted about images that came from archives, and which images of a site nobody needs any more."""

from __future__ import annotations

import json

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

RECORD = "/var/lib/provision/images.json"


def recorded(path: str = RECORD) -> Facts:
    """Return by image id {name, archive, digests}; {} where nothing is noted."""
    try:
        found = json.loads(files.text(path) or "")
        return {key: entry for key, entry in found.items() if {"name", "archive", "digests"} <= set(entry)}
    except (ValueError, TypeError, AttributeError):
        return {}


def identities(found: Facts) -> set[str]:
    """Return every digest that an image goes by: its id, its registries', and those that its archive had."""
    return {found["id"], *found["digests"], *(found.get("loaded") or {}).get("digests", [])}


def repository_of(name: str) -> str:
    """Return the repository of a name with tag or digest."""
    plain = name.split("@", 1)[0]
    head, colon, tail = plain.rpartition(":")
    return head if colon and "/" not in tail else plain


def unneeded(images: list[Facts], containers: list[Facts], wanted: Facts) -> list[Facts]:
    """Return {id, names, size} of the images of *wanted* repositories that neither a container nor the site needs.

    *wanted* is {names, digests, repositories}. A stopped container needs its image, too. An image of which one name
    belongs to somebody else stays.
    """
    used = {entry.get("image_id") or "" for entry in containers} | {entry["image"] for entry in containers}
    found = []
    for image in images:
        names = [*image["tags"], *image.get("references", [])]
        names = names or [name for name in [(image.get("loaded") or {}).get("name")] if name]
        ours = [name for name in names if repository_of(name) in wanted["repositories"]]
        needed = image["id"] in used or bool(set(names) & (used | set(wanted["names"])))
        if ours and len(ours) == len(names) and not needed and not identities(image) & set(wanted["digests"]):
            found.append(
                {"id": image["id"], "names": image["tags"] + image.get("references", []), "size": image["size"]}
            )
    return found
