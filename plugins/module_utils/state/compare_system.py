"""The part of host_baseline that a site may want of every host's system; what it does not name is left alone."""

from __future__ import annotations

from . import kernel_hold, sysctl
from .items import item, listing, stopped_by_docker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted

MOST_NAMES = 6


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how the system of the host differs from *wanted*."""
    return [
        *_selinux(wanted["selinux"], facts["system"]["selinux"]),
        *_firewalld(wanted["firewalld"], facts),
        *(_time(wanted["time_servers"], facts["system"]["clock"]) if wanted["time_sync"] else []),
        *_own_servers(wanted["time_servers"] if wanted["time_sync"] else [], facts["system"]["clock"]),
        *(_ip_forward if wanted["ip_forward"] else _own_forwarding)(facts["system"]["ip_forward"]),
        *(_hold if wanted["kernel_hold"] else _own_hold)(facts),
    ]


def _selinux(mode: str, found: Facts) -> list[Item]:
    live = found["mode"]
    if not mode or (live == "absent" and mode == "permissive"):
        return []  # where there is no policy, nothing is refused
    items = []
    if live != mode:
        items.append(item("selinux", live, mode, "the site says so (system.selinux)", detail=found))
    elif found["configured"] != mode:
        reason = "%s runs now, and the next boot would bring another mode" % live
        items.append(item("selinux", "%s at boot" % (found["configured"] or "nothing"), mode, reason, detail=found))
    if live in {"enforcing", "permissive"} and found["bindings"] is False:
        items.append(item("selinux bindings", None, "installed", "Ansible labels files through them"))
    return items


def _firewalld(state: str, facts: Facts) -> list[Item]:
    found = facts["system"]["firewalld"]
    seen = "running" if found["active"] else "stopped"
    enabled = "enabled" if found["enabled"] else "disabled"
    right = found["active"] and found["enabled"] if state == "running" else not (found["active"] or found["enabled"])
    if not state or right:
        return []
    reason = "the site says so (system.firewalld)"
    # a firewall that comes or goes takes Docker's own chains with it
    stops = stopped_by_docker(facts) if seen != state and facts["docker"]["active"] else []
    return [item("firewalld", "%s, %s" % (seen, enabled), state, reason, stops=stops, detail=found)]


def _time(servers: list[str], found: Facts) -> list[Item]:
    items = []
    if not (found["active"] and found["enabled"]):
        seen = "stopped" if found["unit"] else None
        items.append(item("time sync", seen, "chrony running", "the site wants its clocks kept (system.time_sync)"))
    if found["rivals"]:
        reason = "two programs would set one clock"
        items.append(item("time sync rivals", listing(found["rivals"]), "stopped", reason))
    missing = [name for name in servers if name not in found["servers"]]
    if missing:
        seen = listing(found["servers"]) or None
        reason = "%s does not name them" % found["file"] if found["file"] else "chrony has no settings yet"
        items.append(item("time servers", seen, listing(servers), reason, detail={"missing": missing}))
    return items


def _own_servers(servers: list[str], found: Facts) -> list[Item]:
    surplus = [name for name in found["own"] if name not in servers]
    if not surplus:
        return []
    reason = "provision named them, and the site does not any more (system.time_sync.servers)"
    return [item("own time servers", listing(surplus), listing(servers) or "removed", reason)]


def _own_forwarding(found: Facts) -> list[Item]:
    if found["file"] != sysctl.OWN:
        return []
    reason = "%s is provision's, and the site does not ask for it any more (system.ip_forward)" % sysctl.OWN
    return [item("own ip_forward", "set at boot", "left alone", reason)]


def _ip_forward(found: Facts) -> list[Item]:
    if found["live"] == found["configured"] == "1":
        return []
    seen = "%s now, %s at boot" % (found["live"] or "unknown", found["configured"] or "not set")
    reason = "containers cannot be reached without it"
    if found["configured"] not in {"", "1"}:
        reason += ", and %s says otherwise for the next boot" % found["file"]
    return [item("ip_forward", seen, "%s = 1" % sysctl.IP_FORWARD, reason, detail=found)]


def _hold(facts: Facts) -> list[Item]:
    loose = kernel_hold.loose(facts["os"].get("package_manager"), facts["system"]["kernel_hold"])
    if not loose:
        return []
    reason = "an update would exchange the kernel that the driver is built for"
    return [item("kernel hold", "%s free" % listing(loose, MOST_NAMES), "held", reason, detail={"packages": loose})]


def _own_hold(facts: Facts) -> list[Item]:
    held = facts["system"]["kernel_hold"]["own"]
    reason = "provision held them, and the site does not ask for it any more (system.hold_kernel)"
    return [item("own kernel hold", "%s held" % listing(held, MOST_NAMES), "free", reason)] if held else []
