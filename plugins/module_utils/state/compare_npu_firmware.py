"""npu_firmware: the wanted version installed and running on the cards."""

from __future__ import annotations

from .items import item, listing, running_version, stopped_by_reboot
from .reboot import differs
from .versions import good_enough, is_enough

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how the firmware differs from *wanted*; it takes effect with a reboot."""
    firmware, version = facts["npu_firmware"], wanted["version"]
    size, stops = wanted["package"].get("size") or 0, stopped_by_reboot(facts)
    if not firmware["present"]:
        reason = "no firmware is installed"
        return [item("firmware version", None, version, reason, reboot=True, stops=stops, bytes=size)]
    if not firmware["complete"]:
        reason = "an installation ended half-way: missing %s" % listing(firmware["missing"])
        return [item("firmware installation", "incomplete", version, reason, reboot=True, stops=stops, bytes=size)]
    accepted = wanted.get("version_accepted", "")
    if not is_enough(firmware["installed"], version, accepted):
        reason = "version.info says %s, the site %s" % (firmware["installed"], good_enough(version, accepted))
        return [item("firmware version", firmware["installed"], version, reason, reboot=True, stops=stops, bytes=size)]
    reasons = facts["reboot"]["npu_firmware"]
    if reasons:
        running = firmware["running"] or "unknown"
        return [item("reboot pending", running, firmware["installed"], reasons[0], reboot=True, stops=stops)]
    return [running_version("firmware", firmware)] if differs(firmware) else []
