"""container_image: every image there under its canonical name, for this processor, and the one that the site means."""

from __future__ import annotations

from .images import identities
from .items import item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return one item per image that is absent or another one; nothing is known while Docker does not answer."""
    docker = facts["docker"]
    items = []
    for image in wanted["images"]:
        found = next((entry for entry in docker["images"] if image["name"] in entry["tags"]), None)
        fault = _fault(image, found)
        if fault is not None:
            seen, reason = fault
            reason = reason if docker["active"] else "Docker does not answer, so no image can be seen"
            to = image["name"] + ("@" + image["digest"] if image["digest"] else "")
            size = (image.get("archive") or {}).get("size_bytes") or image.get("size_bytes") or 0
            items.append(item("image", seen, to, reason, bytes=size, detail={"name": image["name"]}))
    return items


def _fault(image: Facts, found: Facts | None) -> tuple[str | None, str] | None:
    """Return what is there and why that is wrong, None when it is right."""
    if found is None:
        return None, "there is no image of this name"
    architecture = found["architecture"]
    if image["architecture"] and architecture and architecture != image["architecture"]:
        return architecture, "it was built for %s, this host needs %s" % (architecture, image["architecture"])
    build, archive = image.get("build") or {}, image.get("archive") or {}
    if build:
        label = found["labels"].get(build["label"])
        return None if label == build["key"] else (label, "its Dockerfile or its base is another one")
    marks = {image["digest"], image.get("id") or ""} - {""}
    came_from = (found.get("loaded") or {}).get("archive")
    if marks & identities(found) or (archive and came_from == archive["sha256"]) or not (marks or archive):
        return None
    seen = (found["digests"] or [found["id"]])[0]
    return seen, "the image of this name has another digest" if marks else "it was not loaded from the site's archive"
