"""`provision prune`: remove images of the site's repositories that nobody needs any more, after asking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from driver import fleet as fleets
from driver import lock, paths, runs
from driver.fleet import Fleet
from driver.hostprogram import host_module
from driver.observe import Observation, observe
from driver.record import Record, recorded
from driver.request import Request
from driver.table import table
from driver.terminal import Terminal
from driver.units import count, size

PLAYBOOK = "prune.yml"
ROLE = "container_image"


@dataclass(frozen=True, slots=True)
class Old:
    """One image on one host that may go: neither wanted by the site nor used by a container."""

    host: str
    id: str
    names: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What may go, and what the site *wants*: {names, digests, repositories}."""

    site: str
    old: tuple[Old, ...]
    wants: dict[str, list[str]]

    def text(self, width: int) -> str:
        """Return the plan as a table and what it frees."""
        if not self.old:
            return f"no old image of site {self.site} on any host\n"
        rows = [[one.host, (*one.names, one.id)[0], size(one.bytes)] for one in self.old]
        total = sum(one.bytes for one in self.old)
        # layers that other images share stay, so it is the most that can become free
        return table(("host", "image", "size"), rows, width=width) + (
            f"{count(len(self.old), 'image')}, at most {size(total)} become free; what a container uses stays\n"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {"site": self.site, "old": [asdict(one) for one in self.old]}


def plan(fleet: Fleet, seen: Observation) -> Plan:
    """Return what may go from the hosts that were seen."""
    wants = wishes(fleet)
    old = [
        Old(host.name, one["id"], tuple(one["names"]), int(one["size"]))
        for host in fleet.hosts
        for one in _unneeded(seen.docs[host.name]["facts"]["docker"], wants)
    ]
    return Plan(fleet.name, tuple(old), wants)


def wishes(fleet: Fleet) -> dict[str, list[str]]:
    """Return names and digests of every image that a host of the site wants, and the repositories that are its own."""
    images = [image for host in fleet.hosts for image in host.wanted.get(ROLE, {}).get("images", [])]
    names = {image["name"] for image in images}
    repository = host_module("images").repository_of
    sources = {source for image in images for source in image["sources"]}
    digests = {image[key] for image in images for key in ("digest", "id")} - {""}
    return {
        "names": sorted(names),
        "digests": sorted(digests),
        "repositories": sorted({repository(name) for name in names | sources}),
    }


def _unneeded(docker: dict[str, Any], wants: dict[str, list[str]]) -> Iterable[dict[str, Any]]:
    found: list[dict[str, Any]] = host_module("images").unneeded(docker["images"], docker["containers"], wants)
    return found


def prune(name: str, limit: str | None, yes: bool, terminal: Terminal, width: int) -> Record | Plan:
    """Show what may go, ask, remove it; return the record of the run, or the plan where there is nothing to do."""
    folder = paths.site_dir(name)
    with lock.held(folder, "prune", terminal.say) as leash:
        fleet = fleets.load(name).limited(limit, ROLE)
        seen = observe(fleet)
        seen.require_all()
        found = plan(fleet, seen)
        if not found.old:
            return found
        terminal.say(found.text(width).rstrip())
        if not yes:
            terminal.confirm("Remove them?")
        record = Record(runs.start("prune", fleet.name), fleet)
        with recorded(record):
            _act(record, found, leash, terminal)
        return record


def _act(record: Record, found: Plan, leash: Path, terminal: Terminal) -> None:
    from driver.act import play, require_good

    chosen: dict[str, list[str]] = {}
    for one in found.old:
        chosen.setdefault(one.host, []).append(one.id)
    told = {f"{ROLE}_unneeded": chosen, f"{ROLE}_wanted": found.wants}
    request = Request(PLAYBOOK, leash, tuple(chosen), removes=True, extra_vars=told)
    with record.run.stage("prune"):
        result = play(record.fleet, request, record.run, terminal)
    record.results.append(result)
    require_good(result)
