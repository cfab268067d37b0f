"""What `up` would do: the drift of every host, counted and put into the order of the plays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from driver import plan_moves
from driver.cards import cards
from driver.fleet import Fleet, FleetHost

if TYPE_CHECKING:
    from driver.observe import Observation


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a host and the site: what it is now, what it has to be, what mending it costs.

    `bytes` is what has to be moved to the host for it; `stops` names services and containers that stop meanwhile.
    """

    host: str
    role: str
    what: str
    before: str | None
    after: str
    reason: str
    reboot: bool
    stops: tuple[str, ...]
    bytes: int

    def sentence(self) -> str:
        """Return the change as one line, without colours."""
        before = self.before if self.before not in {None, ""} else "absent"
        return f"{self.host}: {self.role}: {self.what}: {before} -> {self.after} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Plan:
    """Every change of a site, in the order in which it would be made.

    *guests* are hosts that --limit left out and that come along with their services. *batches* are the numbers of
    hosts that are rebooted together, the last one again and again; *cards* are hosts with what cards they have,
    *remarks* hosts with what else is worth a word, *moves* lines that say where models come from.
    """

    site: str
    hosts: tuple[str, ...]
    changes: tuple[Change, ...]
    not_understood: tuple[tuple[str, str], ...]
    minutes: int
    interrupted: tuple[tuple[str, str], ...] = ()
    guests: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    cards: tuple[tuple[str, str], ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()
    moves: tuple[str, ...] = ()

    @property
    def roles(self) -> list[str]:
        """Return the roles that have something to do, in play order."""
        return list(dict.fromkeys(change.role for change in self.changes))

    @property
    def drifting(self) -> list[str]:
        """Return the hosts that differ from the site."""
        differing = {change.host for change in self.changes}
        return [host for host in self.hosts if host in differing]

    @property
    def reboots(self) -> list[str]:
        """Return the hosts that would be rebooted, each once however many changes ask for it."""
        asking = {change.host for change in self.changes if change.reboot}
        return [host for host in self.hosts if host in asking]

    def reboot_batches(self) -> list[list[str]]:
        """Return the hosts that are rebooted together, in order; a batch begins when the one before is back."""
        return _batches(self.reboots, self.batches)

    @property
    def bytes(self) -> int:
        """Return how many bytes have to be moved to all hosts together."""
        return sum(change.bytes for change in self.changes)

    def stops(self) -> list[tuple[str, str]]:
        """Return host and name of everything that would stop meanwhile, on the drifting hosts and elsewhere."""
        own = [(change.host, name) for change in self.changes for name in change.stops]
        return list(dict.fromkeys([*own, *self.interrupted]))

    def of(self, host: str) -> Iterator[Change]:
        """Yield the changes of one host."""
        return (change for change in self.changes if change.host == host)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "site": self.site,
            "drift": bool(self.changes),
            "hosts": {
                host: {
                    "reboot": host in self.reboots,
                    "cards": [text for name, text in self.cards if name == host],
                    "changes": [asdict(change) for change in self.of(host)],
                }
                for host in self.hosts
            },
            "roles": self.roles,
            "reboots": self.reboots,
            "reboot_batches": self.reboot_batches(),
            "guests": list(self.guests),
            "stops": [{"host": host, "name": name} for host, name in self.stops()],
            "bytes": self.bytes,
            "moves": list(self.moves),
            "minutes": self.minutes,
            "not_understood": [{"host": host, "text": text} for host, text in self.not_understood],
            "remarks": [{"host": host, "text": text} for host, text in self.remarks],
        }


def build(fleet: Fleet, seen: Observation, seconds_of_role: Mapping[str, float]) -> Plan:
    """Return the plan for the hosts that were seen, only for the roles that *fleet* still has after --tags."""
    order = {role: number for number, role in enumerate(fleet.roles)}
    changes = [
        _change(host.name, role, item) for host in fleet.hosts for role, items in _drift(host, seen) for item in items
    ]
    changes.sort(key=lambda change: order[change.role])
    texts = tuple(
        (host, f"{item['area']}: {item['text']}")
        for host, document in seen.docs.items()
        for item in document.get("not_understood", [])
    )
    names = tuple(host.name for host in fleet.hosts)
    guests = tuple(host.name for host in fleet.hosts if host.guest)
    interrupted = tuple(_interrupted(fleet, disturbed(fleet, changes), seen))
    return Plan(
        fleet.name,
        names,
        tuple(changes),
        texts,
        _minutes(changes, seconds_of_role, fleet.reboot_batches),
        interrupted,
        guests,
        fleet.reboot_batches,
        tuple((host.name, text) for host in fleet.hosts for text in cards(host, seen.docs.get(host.name, {}))),
        tuple(_remarks(seen)),
        tuple(plan_moves.lines(fleet, seen)),
    )


def _remarks(seen: Observation) -> Iterator[tuple[str, str]]:
    """Yield host and text of what is worth a word and no drift; what the cards are stands among the cards."""
    for host, document in seen.docs.items():
        for remark in document.get("facts", {}).get("remarks", []):
            if remark["area"] != BOARD:
                yield host, f"{remark['area']}: {remark['text']}"


def disturbed(fleet: Fleet, changes: Iterable[Change]) -> set[str]:
    """Return the services whose Ray cluster loses a host of *fleet* for a while when *changes* are made."""
    broken = {change.host for change in changes if change.reboot or change.role == CLUSTER or change.stops}
    return {name for host in fleet.hosts if host.name in broken for name in host.clusters()}


def _interrupted(fleet: Fleet, lost: set[str], seen: Observation) -> Iterator[tuple[str, str]]:
    """Yield host and unit of every running service whose cluster is one of the *lost*."""
    for host in fleet.hosts:
        running = seen.docs.get(host.name, {}).get("facts", {}).get("services", {})
        for service in host.wanted.get("inference_service", {}).get("services", []):
            if service["name"] in lost and running.get(service["name"], {}).get("unit_active"):
                yield host.name, service["unit"]


def _drift(host: FleetHost, seen: Observation) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    drift = seen.docs.get(host.name, {}).get("drift", {})
    return ((role, drift[role]) for role in host.roles if drift.get(role))


def _change(host: str, role: str, item: dict[str, Any]) -> Change:
    before = item.get("from")
    return Change(
        host=host,
        role=role,
        what=item["what"],
        before=None if before is None else str(before),
        after=str(item["to"]),
        reason=item["reason"],
        reboot=bool(item.get("reboot")),
        stops=tuple(item.get("stops", [])),
        bytes=int(item.get("bytes") or 0),
    )


CLUSTER = "ray_cluster"
BOARD = "board"
# What one role took on the hosts that were measured; a site's own last runs replace these first guesses.
FIRST_GUESS_SECONDS = 60.0
REBOOT_SECONDS = 240.0
BYTES_PER_SECOND = 50e6  # what a link of 1 Gbit/s carries, shared with other work


def _batches(hosts: list[str], sizes: Sequence[int]) -> list[list[str]]:
    """Return *hosts* cut into pieces of *sizes*, the last of which holds for all further ones."""
    found: list[list[str]] = []
    for size in itertools.chain(sizes[:-1], itertools.repeat(sizes[-1] if sizes else max(len(hosts), 1))):
        if not hosts:
            break
        found.append(hosts[:size])
        hosts = hosts[size:]
    return found


def _minutes(changes: list[Change], seconds_of_role: Mapping[str, float], batches: Sequence[int]) -> int:
    """Return an estimate: hosts work side by side, roles one after another, a download at the assumed rate.

    A batch of reboots begins when the one before is back.
    """
    total = 0.0
    for role in dict.fromkeys(change.role for change in changes):
        total += seconds_of_role.get(role, FIRST_GUESS_SECONDS)
        moved: dict[str, int] = {}
        for change in changes:
            if change.role == role:
                moved[change.host] = moved.get(change.host, 0) + change.bytes
        total += max(moved.values()) / BYTES_PER_SECOND
    rebooted = list(dict.fromkeys(change.host for change in changes if change.reboot))
    total += len(_batches(rebooted, batches)) * seconds_of_role.get("reboot", REBOOT_SECONDS)
    return math.ceil(total / 60)
