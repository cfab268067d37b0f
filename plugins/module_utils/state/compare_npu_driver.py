"""npu_driver: the wanted version installed, whole, running, and every card there in all three layers."""

from __future__ import annotations

import re

from .items import foreign_holders, item, listing, running_version, stopped_by_reboot
from .reboot import STARTING, differs
from .versions import good_enough, is_enough, is_same_release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how driver and cards differ from *wanted*; what runs is only looked at when the right one is installed."""
    items = _cards_on_bus(wanted, facts["npu"]["pci"])
    installation = _installation(wanted, facts)
    if installation is not None:
        return [*items, *_obstacles(wanted, facts), installation]
    items += _drained(facts)
    reasons = facts["reboot"]["npu_driver"]
    if reasons:
        running = facts["npu_driver"]["running"] or "nothing"
        installed, stops = facts["npu_driver"]["installed"], stopped_by_reboot(facts)
        return [*items, item("reboot pending", running, installed, reasons[0], reboot=True, stops=stops)]
    if differs(facts["npu_driver"]):
        items.append(running_version("driver", facts["npu_driver"]))
    nodes = _nodes(wanted, facts)
    return [*items, *nodes, *_monitor(wanted, facts, nodes)]


def _cards_on_bus(wanted: Wanted, functions: list[Facts]) -> list[Item]:
    count, chips = sum(1 for function in functions if function["id"] in wanted["pci_ids"]), wanted["expected_count"]
    # a card of two chips has been seen with a function for each and with one for both
    if count in {chips, chips // (wanted.get("chips_per_card") or 1)}:
        return []
    others = sorted({function["id"] for function in functions} - set(wanted["pci_ids"]))
    seen = "%d" % count + (", other accelerators: %s" % listing(others) if others else "")
    to = "%d of %s" % (chips, " or ".join(wanted["pci_ids"]))
    return [item("cards on the bus", seen, to, "the PCI bus does not show the number of cards that the site says")]


def _installation(wanted: Wanted, facts: Facts) -> Item | None:
    """Return what has to be installed, None when the wanted version is there and whole."""
    driver, version = facts["npu_driver"], wanted["version"]
    size, stops = wanted["package"].get("size") or 0, stopped_by_reboot(facts)
    accepted = wanted.get("version_accepted", "")
    detail = {key: driver[key] for key in ("installed", "running", "complete", "missing")}
    if not driver["present"]:
        what, found, reason = "driver version", None, "no driver is installed"
    elif not driver["complete"]:
        what, found = "driver installation", "incomplete"
        busy = "; an installer is running now" if driver["installer_running"] else ""
        reason = "an installation ended half-way: missing %s%s" % (listing(driver["missing"]), busy)
    elif not is_enough(driver["installed"], version, accepted):
        what, found = "driver version", driver["installed"]
        reason = "version.info says %s, the site %s" % (found, good_enough(version, accepted))
        if is_same_release(driver["running"], version):
            reason += "; the driver that runs is %s, so the file or the package was changed" % version
    else:
        return None
    return item(what, found, version, reason, reboot=True, stops=stops, bytes=size, detail=detail)


def _obstacles(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return what would make the installation fail, or its module not load; the first is for a person to decide."""
    items, modules = [], facts["kernel_modules"]
    if modules["enforced"] and not wanted.get("modules_signed"):
        reason = "the kernel would not load the driver's module, which DKMS builds here and signs with no key it knows"
        items.append(item("module signatures", " and ".join(modules["enforced"]), "not demanded", reason))
    tree = modules["dkms"]
    if tree["failed"]:
        whose = "provision's" if tree["ours"] else "not provision's"
        reason = "the last build in it failed and stands in the way of the next one; it was %s" % whose
        items.append(item("dkms residue", tree["path"], "removed", reason, detail={"residue": tree["path"]}))
    strangers = [] if wanted.get("drain_units") else foreign_holders(facts)
    if strangers:
        reason = "provision did not start them, and nothing is installed under them; units to stop go under npu.drain"
        items.append(item("cards in use", listing(strangers), "free", reason))
    return items


def _drained(facts: Facts) -> list[Item]:
    """Return the units that an earlier run stopped for its installation and was killed before it started them again."""
    units = facts.get("drain", {}).get("waiting", [])
    reason = "an earlier run stopped them for a driver change and ended before it could start them again"
    detail = {"drained": units}
    return [item("drained units", "stopped: %s" % listing(units), "started", reason, detail=detail)] if units else []


def _nodes(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return what is wrong with the device nodes; only the driver's own start makes them, hence the reboot."""
    npu, items = facts["npu"], []
    if npu["missing"]:
        reason = "the driver is installed, its device nodes are not all there"
        detail = {"missing": npu["missing"]}
        lost, stops = "missing: %s" % listing(npu["missing"]), stopped_by_reboot(facts)
        items.append(item("device nodes", lost, "present", reason, reboot=True, stops=stops, detail=detail))
    owner, group = wanted["account_name"], wanted["account_group"]
    foreign = [node for node in npu["nodes"] + npu["control_nodes"] if (node["owner"], node["group"]) != (owner, group)]
    if foreign:
        first = foreign[0]
        seen = "%s:%s of %s" % (first["owner"], first["group"], listing([node["path"] for node in foreign]))
        reason = "others than %s cannot open the cards" % first["owner"]
        detail = {"paths": [node["path"] for node in foreign]}
        items.append(item("device node owner", seen, "%s:%s" % (owner, group), reason, detail=detail))
    return items


def _monitor(wanted: Wanted, facts: Facts, nodes: list[Item]) -> list[Item]:
    """Return what the monitor says against the driver; with nodes missing its silence has that reason."""
    smi = facts["npu"]["smi"]
    if smi["directory"]:
        reason = "a directory where the file belongs: a container that was started with -v made it"
        return [item("npu-smi", "directory %s" % smi["directory"], "file", reason, detail={"path": smi["directory"]})]
    if smi["code"] in STARTING:
        return [item("driver answer", "starting", "ready", "npu-smi gives %d: not ready yet" % smi["code"])]
    if smi["error"]:
        return [] if nodes else [item("driver answer", smi["error"], "an answer", "the driver does not answer")]
    chips = smi["chips"]
    if not chips:
        return []  # what was not understood is no proof that cards are missing
    # A chip that is not healthy is no drift: nothing of ours mends it, so `up` would fail for ever. Its health is in
    # the facts (npu.smi.chips), and `check` is red.
    pattern = wanted["chip_pattern"]
    matching = [chip for chip in chips if chip["name"] is None or re.search(pattern, chip["name"])]
    expected = len(wanted["device_nodes"]) or wanted["expected_count"]
    if len(matching) >= expected:
        return []
    reason = "npu-smi shows fewer chips than there are cards: one is lost, and may need a reset or a power cycle"
    if len(chips) >= expected:
        others = sorted({chip["name"] for chip in chips if chip not in matching})
        reason = "npu-smi names chips %s, which are not the product that the site says (%s)" % (
            listing(others),
            pattern,
        )
    return [item("cards that answer", "%d" % len(matching), "%d" % expected, reason)]
