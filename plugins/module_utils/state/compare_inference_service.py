"""inference_service: the unit on the service's host, its health address, and the name that it serves."""

from __future__ import annotations

from .compare_ray_cluster import container_fault, unit_fault, unit_item
from .items import listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .compare_ray_cluster import Fault
    from .items import Facts, Item, Wanted

OK = 200


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return one item per service that does not serve what it should: the first cause, the others follow from it."""
    items = []
    for service in wanted["services"]:
        found = facts["services"].get(service["name"], {})
        fault = _fault(service, found)
        if fault is not None:
            running = [service["unit"]] if found.get("unit_active") else []
            items.append(unit_item(service, found, fault, running, service["ready_timeout_seconds"]))
    return items


def _fault(service: Facts, found: Facts) -> Fault | None:
    fault = unit_fault(service, found)
    if fault is None and service["kind"] == "docker-run":
        fault = container_fault(service, found)
    if fault is not None:
        return fault
    what = "service %s" % service["name"]
    if found["health"] is None:
        return what, "no answer", "healthy", found["error"] or "it does not answer yet"
    if found["health"] != OK:
        return what, "status %s" % found["health"], "healthy", found["error"]
    if service["served_name"] not in found["models"]:
        seen = "serves %s" % (listing(found["models"]) or "nothing")
        return what, seen, "serves %s" % service["served_name"], found["error"] or "it serves another name"
    return None
