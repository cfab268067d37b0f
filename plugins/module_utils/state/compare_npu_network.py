"""npu_network: the site's addresses in hccn.conf and in force on the cards, and the TLS switch that it wants.

A link that is down, or a network that does not answer, is no drift: nothing of ours mends it, so `up` would fail for
ever. Both are facts (npu_network.cards), and `check` is red.
"""

from __future__ import annotations

from . import hccn
from .items import OURS, item, listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted

MODE = "0644"
OWNER = "root"
KIND_WORDS = {"link": "a symbolic link", "other": "no file"}


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how file and cards differ from *wanted*; a value is looked for on the card where the file has it."""
    found = facts["npu_network"]
    config = found["config"]
    if config["kind"] in KIND_WORDS:
        reason = "%s is %s: nothing is written through it" % (config["path"], KIND_WORDS[config["kind"]])
        return [item("hccn.conf", KIND_WORDS[config["kind"]], "a plain file", reason)]
    stops = _stopped(facts)
    items = _file(wanted, found, stops)
    if not items and config["kind"] and (config["mode"], config["owner"]) != (MODE, OWNER):
        seen = "%s of %s" % (config["mode"], config["owner"])
        items.append(
            item("hccn.conf mode", seen, "%s of %s" % (MODE, OWNER), "containers read it, only root writes it")
        )
    return items + _cards(wanted, found, facts, stops) + _tls(wanted, found, stops)


def _stopped(facts: Facts) -> list[str]:
    """Return our containers on the cards: an address that changes under them breaks their connections."""
    return [holder["name"] for holder in facts.get("holders", []) if holder["name"].startswith(OURS)]


def _file(wanted: Wanted, found: Facts, stops: list[str]) -> list[Item]:
    items, config = [], found["config"]
    for kind in hccn.KINDS:
        pairs = [(entry, config["values"].get("%s_%d" % (kind, entry["device"]))) for entry in wanted["devices"]]
        wrong = [(entry, value) for entry, value in pairs if entry.get(kind) and value != entry[kind]]
        if wrong:
            reason = "%s says something else" % config["path"] if config["kind"] else "there is no %s" % config["path"]
            items.append(_difference("%s in hccn.conf" % kind, kind, wrong, reason, stops))
    old = hccn.outdated(hccn.keys(wanted["devices"]), config["values"], found["record"])
    if old:
        before = listing(["%s=%s" % (key, config["values"][key]) for key in sorted(old)])
        after = listing(["%s=%s" % (key, value) if value else "no %s" % key for key, value in sorted(old.items())])
        reason = "provision wrote it for a site that no longer says it"
        items.append(item("left in hccn.conf", before, after, reason, stops=stops, detail={"keys": sorted(old)}))
    return items


def _cards(wanted: Wanted, found: Facts, facts: Facts, stops: list[str]) -> list[Item]:
    cards, values, items = found["cards"], found["config"]["values"], []
    wrong = hccn.differing(wanted["devices"], cards)
    for kind in hccn.KINDS:
        pairs = [
            (entry, cards[str(entry["device"])][kind])
            for entry in wanted["devices"]
            if kind in wrong.get(entry["device"], []) and values.get("%s_%d" % (kind, entry["device"])) == entry[kind]
        ]
        if pairs:
            reason = "configured but not applied: hccn.conf is right and the cards do not have it"
            items.append(_difference("%s on the cards" % kind, kind, pairs, reason, stops))
    silent = ["device %s: %s" % (number, card["error"]) for number, card in cards.items() if card["error"]]
    # without a driver that runs nobody answers, and that is npu_driver's drift
    if silent and facts["npu_driver"]["running"]:
        items.append(item("answer of the ports", listing(silent, 2), "an answer", "hccn_tool says nothing of these"))
    return items


def _tls(wanted: Wanted, found: Facts, stops: list[str]) -> list[Item]:
    if not wanted["tls"]:
        return []
    others = [number for number, card in found["cards"].items() if not card["error"] and card["tls"] != wanted["tls"]]
    if not others:
        return []
    seen = "%s (device %s)" % ("on" if wanted["tls"] == "off" else "off", listing(others, 16))
    reason = "ports whose switches differ do not connect, and say nothing"
    return [item("TLS switch", seen, wanted["tls"], reason, stops=stops, detail={"devices": [int(n) for n in others]})]


def _difference(what: str, kind: str, pairs: list[tuple[Facts, str | None]], reason: str, stops: list[str]) -> Item:
    """Return the item of a *kind* that differs; *pairs* are the wanted devices with what was found instead."""
    found = listing(["%d: %s" % (entry["device"], value or "none") for entry, value in pairs])
    nothing = not any(value for _, value in pairs)
    to = listing(["%d: %s" % (entry["device"], entry[kind]) for entry, _ in pairs])
    detail = {"devices": [entry["device"] for entry, _ in pairs]}
    return item(what, None if nothing else found, to, reason, stops=stops, detail=detail)
