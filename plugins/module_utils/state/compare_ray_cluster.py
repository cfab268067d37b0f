"""ray_cluster: the unit and the container of this host's member, and on the head what Ray counts."""

from __future__ import annotations

from .items import item, listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted

    # what is wrong, what was found, what is wanted, why that counts
    Fault = tuple[str, str | None, str, str]

NOT_ENABLED = "not enabled"
# A node that has run for longer than this is not starting any more; the role waits as long.
READY_SECONDS = 300


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return one item per member that is not as wanted: the first cause, the others follow from it."""
    items = []
    for member in wanted["members"]:
        found = facts["ray"].get(member["name"], {})
        fault = _fault(member, found)
        if fault is not None:
            running = [member["container"]] if found.get("container_running") else []
            items.append(unit_item(member, found, fault, running, READY_SECONDS))
    return items


def unit_item(entry: Facts, found: Facts, fault: Fault, running: list[str], ready_seconds: float) -> Item:
    """Return the item for *fault* of *entry*; *running* is what a restart of its unit stops.

    A unit that is as it should be but does not do its work is waited for while it starts, and restarted once it has
    run for longer than *ready_seconds*: nothing else would mend it. detail says so to the role (restart).
    """
    what, seen, to, reason = fault
    sound = unit_fault(entry, found) is None
    other_container = what == _container(entry) and seen is not None
    hung = sound and (other_container or found["active_seconds"] > ready_seconds)
    if hung:
        reason += "; its unit has run for %d s, so it is restarted" % found["active_seconds"]
    elif sound:
        reason += "; its unit has run for %d of the %d s that it may take" % (found["active_seconds"], ready_seconds)
    detail = {"name": entry["name"], "unit": entry["unit"], "restart": hung, "ready_seconds": ready_seconds}
    if found.get("drop_ins"):
        detail["drop_ins"] = found["drop_ins"]
    left_alone = not hung if sound else seen == NOT_ENABLED
    stops = [] if left_alone else running or ([entry["unit"]] if found.get("unit_active") else [])
    return item(what, seen, to, reason, stops=stops, detail=detail)


def unit_fault(entry: Facts, found: Facts) -> Fault | None:
    """Return what is wrong with the unit of *entry* (has unit and digest): what, found, to, reason; None is right."""
    if not found.get("unit_exists"):
        return entry["unit"], None, "active", "the unit does not exist"
    if found["digest"] != entry["digest"]:
        seen = "specification %s" % (found["digest"] or "unknown")
        return entry["unit"], seen, entry["digest"], "its file was made for something else"
    fault = _changed_by_hand(found) or _not_running(found)
    return fault and (entry["unit"], *fault)


def _changed_by_hand(found: Facts) -> tuple[str, str, str] | None:
    if found["edited"]:
        return "edited", "as it was written", "its file was edited since; what was changed there belongs in site.yml"
    if found["drop_ins"]:
        return (
            "changed by %s" % listing(found["drop_ins"]),
            "as it was written",
            "a drop-in changes it, it is put aside",
        )
    return None


def _not_running(found: Facts) -> tuple[str, str, str] | None:
    if not found["unit_active"]:
        return found["unit_state"], "active", "the unit does not run"
    if found["stale"]:
        return "running from before", "running from its file", found["stale"]
    if not found["unit_enabled"]:
        return NOT_ENABLED, "enabled", "it would not come back after a reboot"
    return None


def container_fault(entry: Facts, found: Facts) -> Fault | None:
    """Return what is wrong with the container of *entry*; a label of another specification counts, none does not."""
    what = _container(entry)
    if not found["container_running"]:
        return what, None, "running", "the unit runs, its container does not"
    if found["container_digest"] not in {None, entry["digest"]}:
        seen = "specification %s" % found["container_digest"]
        return what, seen, entry["digest"], "it runs what the unit said before"
    return None


def _container(entry: Facts) -> str:
    return "container %s" % entry["container"]


def _fault(member: Facts, found: Facts) -> Fault | None:
    fault = unit_fault(member, found) or container_fault(member, found)
    if fault is not None or member["role"] != "head":
        return fault
    resource, total = member["resource"], member["npus_total"]
    if found["npu_total"] is None:
        return "ray", "not answering", "%d %s" % (total, resource), found["error"] or "Ray was not asked"
    if found["npu_total"] < total:
        seen = "%g %s on %s nodes" % (found["npu_total"], resource, found["nodes"])
        to = "%d %s on %d nodes" % (total, resource, member["hosts_total"])
        return "ray resources", seen, to, "Ray counts less than the cluster has: a member has not joined, or hangs"
    return None
