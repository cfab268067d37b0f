"""The network ports of the chips: what /etc/hccn.conf says, and what the vendor's tool says is in force."""

from __future__ import annotations

import json
import os
import pwd
import re
import stat
import threading
import time

from . import commands, files, npu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Wanted

CONFIG = "/etc/hccn.conf"
RECORD = "/var/lib/provision/npu_network.json"
KINDS = ("address", "netmask", "gateway", "netdetect")
KEY = re.compile(r"(%s)_(\d+)$" % "|".join(KINDS))
ADDRESSES = ("ip", "gateway", "netdetect")
QUESTIONS = (*ADDRESSES, "link", "net_health", "tls")
# Devices are asked side by side, but not all of them: their answers come over one driver.
THREADS = 4
SECONDS = 10.0
# For all devices of a host; below what an observation may take as a whole.
ALL_SECONDS = 80.0
BUSY_TRIES = 4
BUSY_SECONDS = 0.5
UNSET = "0.0.0.0"  # noqa: S104 - what the tool prints for no address; nothing listens on it
_NOT_SET = re.compile(r"\bno (ip|gateway|netdetect)\w* was preset", re.IGNORECASE)
_BUSY = re.compile(r"\bis busy\b", re.IGNORECASE)
_NO_CERTIFICATE = re.compile(r"no certificate found", re.IGNORECASE)
_ADDRESS = r"\s*:\s*(\d+\.\d+\.\d+\.\d+)"
_VALUES = {
    "ip": (("address", re.compile("ipaddr" + _ADDRESS)), ("netmask", re.compile("netmask" + _ADDRESS))),
    "gateway": (("gateway", re.compile("gateway" + _ADDRESS)),),
    "netdetect": (("netdetect", re.compile("netdetect address" + _ADDRESS)),),
    "link": (("link", re.compile(r"link status\s*:\s*(\w+)")),),
    "net_health": (("health", re.compile(r"net health status\s*:\s*(\S.*?)\s*$", re.MULTILINE)),),
    "tls": (("tls", re.compile(r"tls switch\s*\[\s*([01])\s*\]")),),
}
_SWITCH = {"0": "off", "1": "on"}


def observe(wanted: Wanted, driver: Facts, installers: list[str]) -> Facts:
    """Return {config, record, silence, cards}: *silence* says why no card was asked, cards has one entry per device."""
    numbers = [entry["device"] for entry in wanted["devices"]]
    place, silence = tool(wanted["install_path"]), ""
    if installers:
        silence = "not asked while a vendor installer runs"
    elif not driver["complete"] or place is None:
        silence = "not asked: no driver is installed"
    elif not npu.card_nodes():
        silence = "not asked: no driver runs"
    cards = {} if silence or place is None else ask_all(place, numbers)
    return {"config": config(wanted["config_path"]), "record": record(), "silence": silence, "cards": cards}


def nothing() -> Facts:
    """Return the facts of a host whose ports are nobody's business."""
    return {"config": None, "record": record(os.devnull), "silence": "not asked", "cards": {}}


def tool(install_path: str) -> str | None:
    """Return the path of the vendor's tool, None when there is none."""
    places = "%s/driver/tools:%s" % (install_path, files.SEARCH_PATH)
    return files.which("hccn_tool", places)


def config(path: str) -> Facts:
    """Return {path, kind, owner, mode, values}: kind is "", "file", "link" or "other", values those of our keys."""
    try:
        found = os.lstat(path)
    except OSError:
        return {"path": path, "kind": "", "owner": "", "mode": "", "values": {}}
    kind = "file" if stat.S_ISREG(found.st_mode) else "link" if stat.S_ISLNK(found.st_mode) else "other"
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    mode = "%04o" % stat.S_IMODE(found.st_mode)
    return {"path": path, "kind": kind, "owner": owner, "mode": mode, "values": values(files.text(path) or "")}


def values(text: str) -> dict[str, str]:
    """Return the values of the keys in *text* that may be ours; of a key that stands there twice the last one."""
    return {key: value for key, value in files.pairs(text).items() if KEY.match(key)}


def record(path: str = RECORD) -> Facts:
    """Return {originals, written, created}: our keys before us (None: absent), as we wrote them, whose the file is."""
    try:
        found = json.loads(files.text(path) or "{}")
    except ValueError:
        found = {}
    found = found if isinstance(found, dict) else {}
    return {
        "originals": found.get("originals") or {},
        "written": found.get("written") or {},
        "created": bool(found.get("created")),
    }


def keys(devices: list[Facts]) -> dict[str, str]:
    """Return the lines that *devices* (the role's variable) stand for, by key; what is "" there has none."""
    return {"%s_%d" % (kind, entry["device"]): entry[kind] for entry in devices for kind in KINDS if entry.get(kind)}


def outdated(wanted: dict[str, str], found: Facts, known: Facts) -> dict[str, str | None]:
    """Return what the keys have to become again that we wrote and the site no longer has (None: no line).

    *found* is the file's values. What somebody else has changed since is his.
    """
    return {
        key: known["originals"].get(key)
        for key, value in known["written"].items()
        if key not in wanted and found.get(key) == value and known["originals"].get(key) != value
    }


def differing(devices: list[Facts], cards: Facts) -> dict[int, list[str]]:
    """Return the kinds that are not in force as *devices* wants, by device; one that does not answer is left out."""
    found = {}
    for entry in devices:
        card = cards.get(str(entry["device"]))
        if card is not None and not card["error"]:
            wrong = [kind for kind in KINDS if entry.get(kind) and card[kind] != entry[kind]]
            if wrong:
                found[entry["device"]] = wrong
    return found


def ill(devices: list[Facts], cards: Facts) -> dict[int, str]:
    """Return why the ports are not healthy that are not, by device: the link, or what the card says of its network."""
    found = {}
    for entry in devices:
        card = cards.get(str(entry["device"]))
        if card is None or card["error"]:
            continue
        if card["link"] != "UP":
            found[entry["device"]] = "link %s" % (card["link"] or "unknown")
        # Init only means that there is no address to check with
        elif card["health"] != "Success" and not (card["health"] == "Init" and not entry["netdetect"]):
            found[entry["device"]] = "net health %s" % (card["health"] or "unknown")
    return found


def ask_all(place: str, numbers: list[int], questions: tuple[str, ...] = QUESTIONS) -> dict[str, Facts]:
    """Return what the tool at *place* says about every device, by its number as text; only to *questions*."""
    left, found = list(reversed(numbers)), {}
    limit = time.monotonic() + ALL_SECONDS

    def work() -> None:
        while left:
            try:
                number = left.pop()
            except IndexError:
                return
            if time.monotonic() > limit:
                found[number] = silent("not asked: the others took %.0f s" % ALL_SECONDS)
            else:
                found[number] = ask(place, number, questions)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(THREADS, len(numbers)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {str(number): found[number] for number in numbers}


def silent(error: str) -> Facts:
    """Return the facts of a device that has not said anything yet, or does not because of *error*."""
    card: Facts = dict.fromkeys((*KINDS, "link", "health", "tls"), "")
    return dict(card, certificates=False, error=error)


def ask(place: str, number: int, questions: tuple[str, ...] = QUESTIONS) -> Facts:
    """Return the addresses, the link, the health and the TLS switch of one device; error says what it did not tell."""
    card = silent("")
    for question in questions:
        code, text = call([place, "-i", "%d" % number, "-" + question, "-g"], SECONDS)
        found = understood(question, text)
        if found is None:
            last = (text.strip().splitlines() or ["nothing"])[-1].strip()
            card["error"] = "-%s -g ended with code %d: %s" % (question, code, last[:200])
            return card
        card.update(found)
    return card


def call(argv: list[str], seconds: float) -> tuple[int, str]:
    """Return code and output of the tool; it is asked again while it says that it is busy."""
    for _ in range(BUSY_TRIES):
        code, text = commands.run(argv, seconds)
        if not (code and _BUSY.search(text)):
            break
        time.sleep(BUSY_SECONDS)
    return code, text


def understood(question: str, text: str) -> Facts | None:
    """Return the facts in the tool's answer to *question*, None when it is none; "" is an address that is not set."""
    found: Facts = {}
    for name, pattern in _VALUES[question]:
        match = pattern.search(text)
        if match:
            found[name] = "" if match.group(1) == UNSET else match.group(1)
    if question == "tls":
        found["certificates"] = "[pub cert]" in text
        if "tls" not in found and not _NO_CERTIFICATE.search(text):
            return None
        found["tls"] = _SWITCH[found.get("tls", "0")]
        return found
    if not found and not _NOT_SET.search(text):
        return None
    return found
