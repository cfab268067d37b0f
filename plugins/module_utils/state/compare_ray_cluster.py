"""ray_cluster: the unit and the container of this host's member, and on the head what Ray counts."""

from __future__ import annotations

from .items import item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return one item per member that is not as wanted: the first cause, the others follow from it."""
    items = []
    for member in wanted["members"]:
        fault = _fault(member, facts["ray"].get(member["name"], {}))
        if fault is not None:
            what, seen, to, reason = fault
            stops = [member["container"]] if facts["ray"][member["name"]].get("container_running") else []
            detail = {"name": member["name"], "unit": member["unit"]}
            items.append(item(what, seen, to, reason, stops=stops, detail=detail))
    return items


def unit_fault(entry: Facts, found: Facts) -> tuple[str, str | None, str, str] | None:
    """Return what is wrong with the unit of *entry* (has unit and digest): what, found, to, reason; None is right."""
    unit = entry["unit"]
    if not found.get("unit_exists"):
        return unit, None, "active", "the unit does not exist"
    if found["digest"] != entry["digest"]:
        seen = "specification %s" % (found["digest"] or "unknown")
        return unit, seen, entry["digest"], "its file was made for something else"
    if not found["unit_active"]:
        return unit, found["unit_state"], "active", "the unit does not run"
    if found["stale"]:
        return unit, "running from before", "running from its file", found["stale"]
    if not found["unit_enabled"]:
        return unit, "not enabled", "enabled", "it would not come back after a reboot"
    return None


def container_fault(entry: Facts, found: Facts) -> tuple[str, str | None, str, str] | None:
    """Return what is wrong with the container of *entry*; a label of another specification counts, none does not."""
    name = entry["container"]
    if not found["container_running"]:
        return (
            "container %s" % name,
            None,
            "running",
            "the unit runs, its container does not: it starts or fails",
        )
    if found["container_digest"] not in {None, entry["digest"]}:
        seen = "specification %s" % found["container_digest"]
        return "container %s" % name, seen, entry["digest"], "it runs what the unit said before"
    return None


def _fault(member: Facts, found: Facts) -> tuple[str, str | None, str, str] | None:
    fault = unit_fault(member, found) or container_fault(member, found)
    if fault is not None or member["role"] != "head":
        return fault
    resource, total = member["resource"], member["npus_total"]
    if found["npu_total"] is None:
        return "ray", "not answering", "%d %s" % (total, resource), found["error"] or "Ray was not asked"
    if found["npu_total"] < total:
        seen = "%g %s on %s nodes" % (found["npu_total"], resource, found["nodes"])
        to = "%d %s on %d nodes" % (total, resource, member["hosts_total"])
        return "ray resources", seen, to, "Ray counts less than the cluster has: a member has not joined"
    return None
