"""Take a site down: stop its services, and with purge remove what `up` installed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from driver import fleet as fleets
from driver import lock, paths, runs
from driver.observe import observe
from driver.record import Record, recorded
from driver.request import Request
from driver.terminal import Terminal

PLAYBOOK = "teardown.yml"
STAYS = "; Docker, the build tools, the package sources, the account and the models stay"


@dataclass(frozen=True, slots=True)
class Ending:
    """What the command line asks of `down`."""

    limit: str | None = None
    purge: bool = False
    yes: bool = False


def down(name: str, ending: Ending, terminal: Terminal) -> Record:
    """Stop the services of the site and return the record of the run; *purge* removes the rest as well."""
    folder = paths.site_dir(name)
    began = time.monotonic()
    with lock.held(folder, "down", terminal.say) as leash:
        fleet = fleets.load(name).limited(ending.limit)
        run = runs.start("down", fleet.name)
        run.stages.append(runs.Stage("render", round(time.monotonic() - began, 2)))
        record = Record(run, fleet)
        with recorded(record):
            take_down(record, ending, terminal, leash)
        return record


def take_down(record: Record, ending: Ending, terminal: Terminal, leash: Path) -> None:
    """Ask, then play the teardown for the hosts of the record."""
    from driver.act import play, require_good

    hosts = tuple(host.name for host in record.fleet.hosts)
    with record.run.stage("observe"):
        observe(record.fleet).require_all()
    what = (
        "stop the services and remove containers, images, runtime, firmware and driver"
        if ending.purge
        else "stop the services"
    )
    terminal.say(f"down will {what} on {', '.join(hosts)}{STAYS if ending.purge else ''}")
    for mate in record.fleet.mates:
        shared = mate.clusters() & {name for host in record.fleet.hosts for name in host.clusters()}
        terminal.say(f"warning: {mate.name} keeps its part of {', '.join(sorted(shared))}, which cannot answer then")
    if not ending.yes:
        terminal.confirm("Go on?")
    with record.run.stage("down"):
        request = Request(PLAYBOOK, leash, hosts, extra_vars={"purge": ending.purge})
        result = play(record.fleet, request, record.run, terminal)
    record.results.append(result)
    require_good(result)
