"""Filters of the roles: quoting for systemd, names of variable files, what the vendor's tools said."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

READY = "16"
"""What the driver's tool gives as the boot status of a device that is up."""
ALL_CARDS = "all"
"""What host_state gives as the cards of a container of which it is not known which ones it was given."""

MOST_CARDS = 128
"""No host has more; the vendor's runtime takes no longer range either."""

_CARDS = re.compile(r"(?:/dev/davinci|npu-|Ascend\w+-)?(?P<number>\d+)|(?P<first>\d+)-(?P<last>\d+)", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
}


def systemd_word(word: object) -> str:
    """Return *word* so that a systemd Exec line hands it over unchanged: no specifier, no variable, no splitting.

    See systemd.service(5) "Command lines". Raises ValueError for a NUL byte, which no argument can hold.
    """
    text = str(word)
    if "\0" in text:
        raise ValueError(f"{text!r} holds a NUL byte, which no command line can carry")
    if _PLAIN.fullmatch(text):
        return text
    quoted = "".join(_ESCAPES.get(char, char) for char in text)
    return '"' + quoted.replace("%", "%%").replace("$", "$$") + '"'


def systemd_quote(argv: Iterable[object] | str) -> str:
    """Return *argv* (a list of words, or one word) as a systemd Exec line.

    The program itself must be plain: systemd gives a meaning to @, -, :, + and ! in front of it. Raises ValueError.
    """
    if isinstance(argv, str):
        return systemd_word(argv)
    words = [str(word) for word in argv]
    if words and not re.match(r"[A-Za-z0-9_./]", words[0]):
        raise ValueError(f"{words[0]!r} can not be a program's name in a systemd unit")
    return " ".join(systemd_word(word) for word in words)


def os_files(system: Mapping[str, Any], override: str = "") -> list[str]:
    """Return the names of variable files to look for, the closest first: its own, what it is like, its manager's.

    *system* is facts.os of host_state: id, version_id, id_like (a list, or words with blanks) and package_manager.
    An *override* (site.yml: hosts[].system) stands in for the system's own names.
    """
    like = system.get("id_like") or []
    families = like.split() if isinstance(like, str) else list(like)
    name = str(system.get("id") or "unknown")
    version = str(system.get("version_id") or "")
    parts = [part for part in (version, version.partition(".")[0]) if part]
    names = [override] if override else [*(f"{name}_{part}" for part in parts), name, *map(str, families)]
    manager = str(system.get("package_manager") or "")
    return [f"{found.lower()}.yml" for found in dict.fromkeys([*names, manager]) if found]


def devices_booted(text: str) -> bool:
    """Return whether every device in the driver tool's `--boot_status` output is up, and there is one at all."""
    found = re.findall(r'boot\s*status"?\s*:\s*"?(-?\d+)', text, re.IGNORECASE)
    return bool(found) and all(status == READY for status in found)


def card_numbers(card: object) -> set[str]:
    """Return the numbers of cards given as 3, "3", "/dev/davinci3", "0-3,5", "npu-1" or "Ascend910-2".

    What is not understood is every card: one that is thought to be free would be taken from somebody.
    """
    numbers: set[str] = set()
    for part in str(card).split(","):
        found = _CARDS.fullmatch(part.strip())
        if not found:
            return {ALL_CARDS}
        first = int(found["number"] or found["first"])
        last = int(found["last"] or first)
        if not first <= last < first + MOST_CARDS:
            return {ALL_CARDS}
        numbers.update(str(number) for number in range(first, last + 1))
    return numbers


def holders_of_cards(
    holders: Iterable[Mapping[str, Any]], managed_prefix: str, cards: Iterable[object] | None = None
) -> dict[str, list[str]]:
    """Return who holds *cards* (None: any), as words: `managed` containers are ours to stop, `foreign` holders are not.

    *holders* is facts.holders of host_state: kind, name, pid and cards of each; one without cards holds them all.
    """
    wanted = None if cards is None else set().union(*(card_numbers(card) for card in cards))
    managed: list[str] = []
    foreign: list[str] = []
    for holder in holders:
        held = set().union(*(card_numbers(card) for card in holder.get("cards") or []))
        known = held and ALL_CARDS not in held | (wanted or set())
        if wanted is not None and known and not held & wanted:
            continue
        name = str(holder.get("name") or "?")
        if holder.get("kind") == "container" and name.startswith(managed_prefix):
            managed.append(name)
        else:
            pid = f" (pid {holder['pid']})" if holder.get("pid") else ""
            foreign.append(f"{holder.get('kind') or 'process'} {name}{pid}")
    return {"managed": list(dict.fromkeys(managed)), "foreign": list(dict.fromkeys(foreign))}


def spoilt_files(models: Mapping[str, Mapping[str, Any] | None]) -> dict[str, list[str]]:
    """Return path of a model to the names of its spoilt files, from facts.models of host_state."""
    return {
        path: [str(entry["file"]) for entry in seen["bad"]] for path, seen in models.items() if seen and seen.get("bad")
    }


def cluster_mates(hosts: Iterable[str], hostvars: Mapping[str, Any], host: str) -> list[str]:
    """Return those of *hosts* that share a Ray cluster with *host*."""

    def clusters(name: str) -> set[str]:
        return {str(member["name"]) for member in hostvars[name].get("ray_cluster_members") or []}

    return [name for name in hosts if clusters(name) & clusters(host)]


# Facts of the plays that say: what runs in containers on this host was stopped in this run.
STOPPED = (
    "reboot_done",
    "host_baseline_docker_restarted",
    "docker_engine_restarted",
    "ascend_docker_runtime_restarted",
)


def services_to_restart(hosts: Iterable[str], hostvars: Mapping[str, Any], host: str) -> list[str]:
    """Return the names of the services on *host* that stand on a Ray node which was stopped in this run.

    An engine does not notice a lost node before its next request, and looks well until then. What was stopped on
    *host* itself took its services with it.
    """
    names: set[str] = set()
    for other in hosts:
        seen = hostvars[other]
        names.update(seen.get("ray_cluster_restarted") or [])
        if other != host and any(seen.get(fact) for fact in STOPPED):
            names.update(str(member["name"]) for member in seen.get("ray_cluster_members") or [])
    own = [str(service["name"]) for service in hostvars[host].get("inference_service_services") or []]
    return [name for name in own if name in names]


CLUSTER_WIDE = "ray resources"
"""What host_state calls it when a head counts too little: any of its members may be why."""


def clusters_to_restart(hosts: Iterable[str], hostvars: Mapping[str, Any], host: str) -> list[str]:
    """Return the names of the clusters whose node on *host* has to be restarted, as host_state says (detail.restart).

    A head that counts too little is no reason while another member starts or is being mended; else every member
    starts anew, because nobody can tell which of them hangs.
    """
    names: set[str] = set()
    for member in hostvars[host].get("ray_cluster_members") or []:
        name = str(member["name"])
        items = {other: _items_of(hostvars[other], name) for other in hosts}
        own = [item for item in items.get(host, []) if item["detail"].get("restart")]
        short = [item for found in items.values() for item in found if item["what"] == CLUSTER_WIDE]
        hung = [item for item in short if item["detail"].get("restart")]
        alone = any(item["what"] != CLUSTER_WIDE for item in own)
        if alone or (hung and not any(_is_coming(hostvars[other], items[other], name, hung[0]) for other in items)):
            names.add(name)
    return sorted(names)


def _items_of(seen: Mapping[str, Any], cluster: str) -> list[Mapping[str, Any]]:
    drift = (seen.get("host_state") or {}).get("drift") or {}
    return [item for item in drift.get("ray_cluster") or [] if item["detail"].get("name") == cluster]


def _is_coming(seen: Mapping[str, Any], items: list[Mapping[str, Any]], cluster: str, short: Mapping[str, Any]) -> bool:
    """Return whether the member seen is being mended, or has not run for long enough to be taken for hung."""
    if any(item["what"] != CLUSTER_WIDE for item in items):
        return True
    node = (((seen.get("host_state") or {}).get("facts") or {}).get("ray") or {}).get(cluster) or {}
    return bool(node.get("unit_active")) and node["active_seconds"] <= short["detail"]["ready_seconds"]


def items_to_restart(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names in those *items* of drift that only a restart mends."""
    return [str(item["detail"]["name"]) for item in items if item["detail"].get("restart")]


def drop_ins(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the files beside our units that change them, from the *items* of drift."""
    return [str(path) for item in items for path in item["detail"].get("drop_ins") or []]


SEAL_AFTER = re.compile(r"^X-Provision-Digest=.*$", re.MULTILINE)


def sealed(unit: str) -> str:
    """Return the text of a *unit* file with a checksum of its lines, by which host_state sees a later edit.

    Raises ValueError for a unit without a digest.
    """
    text = unit.strip()
    if not SEAL_AFTER.search(text):
        raise ValueError("the unit has no X-Provision-Digest, which the checksum stands under")
    mark = f"X-Provision-Content={zlib.crc32(text.encode()):08x}"
    return SEAL_AFTER.sub(lambda found: f"{found.group()}\n{mark}", text, count=1)


class FilterModule:
    """Gives Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return every filter by name."""
        return {
            "systemd_quote": systemd_quote,
            "os_files": os_files,
            "devices_booted": devices_booted,
            "holders_of_cards": holders_of_cards,
            "spoilt_files": spoilt_files,
            "cluster_mates": cluster_mates,
            "services_to_restart": services_to_restart,
            "clusters_to_restart": clusters_to_restart,
            "items_to_restart": items_to_restart,
            "drop_ins": drop_ins,
            "sealed": sealed,
        }
