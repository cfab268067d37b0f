"""model_store: every model whole at its path, and of the revision that the site names."""

from __future__ import annotations

from .items import item, listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return one item per model that is absent, broken or of other content."""
    items = []
    for model in wanted["models"]:
        found = facts["models"].get(model["path"])
        fault = _fault(model, found)
        if fault is not None:
            seen, reason, size = fault
            to = "%s@%s" % (model["repo"], model["revision"])
            detail = {"name": model["name"], "path": model["path"], "bad": found["bad"] if found else []}
            items.append(item("model", seen, to, reason, bytes=size, detail=detail))
    return items


def _fault(model: Facts, found: Facts | None) -> tuple[str | None, str, int] | None:
    """Return what is there, why that is wrong and how many bytes it takes to mend it; None when it is right."""
    whole = int(model.get("size_bytes") or 0)
    if found is None:
        return "not understood", "%s could not be read" % model["path"], whole
    if not found["present"] or not found["files"]:
        return None, "%s does not exist or is empty" % model["path"], whole
    other = _other_content(model, found, whole)
    if other is not None:
        return other
    if found["bad"]:
        texts = ["%s: %s" % (entry["file"], entry["reason"]) for entry in found["bad"]]
        known = sum(entry["bytes"] for entry in found["bad"])
        rest = max(whole - found["bytes"], 0)
        return "bad files: %d of %d" % (len(texts), found["files"]), listing(texts, 3), max(known, rest)
    return None


def _other_content(model: Facts, found: Facts, whole: int) -> tuple[str | None, str, int] | None:
    """Return in what the manifest is of another model or revision; only its content counts where site.lock lists it.

    What a person put there has no manifest, and is taken for what it is called.
    """
    seen = "%s@%s" % (found["repo"], found["revision"])
    if found["repo"] is None:
        return None
    if model.get("files"):
        lacks = found["lacks"]
        if not lacks["files"]:
            return None
        reason = "%d of %d files in %s are not those of site.lock" % (
            lacks["files"],
            len(model["files"]),
            model["path"],
        )
        return seen, reason, lacks["bytes"]
    if all(found[key] in {None, model[key]} for key in ("repo", "revision")):
        return None
    return seen, "%s was downloaded as %s" % (model["path"], seen), whole
