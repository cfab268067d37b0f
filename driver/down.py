"""Take a site down: stop its services, and with purge remove what `up` installed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from driver import fleet as fleets
from driver import host_python, lock, paths, runs
from driver.observe import observe
from driver.record import Record, recorded
from driver.request import Request
from driver.terminal import Terminal

PLAYBOOK = "teardown.yml"
STOP = "stop the services and remove their units and containers"
PURGE = (
    f"{STOP}, and remove images, obsutil, the container runtime, the network settings of the cards, firmware, driver, "
    "our settings of Docker and of the system, and the package sources that we named"
)
STAYS = "the packages of the distribution, the account and what Docker holds of others"


@dataclass(frozen=True, slots=True)
class Ending:
    """What the command line asks of `down`."""

    limit: str | None = None
    purge: bool = False
    models: bool = False
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
        seen = observe(record.fleet)
        seen.require_all()
        host_python.require(seen.docs, hosts)
    terminal.say(f"down will {_what(ending)}, on {', '.join(hosts)}")
    for mate in record.fleet.mates:
        shared = mate.clusters() & {name for host in record.fleet.hosts for name in host.clusters()}
        terminal.say(f"warning: {mate.name} keeps its part of {', '.join(sorted(shared))}, which cannot answer then")
    if not ending.yes:
        terminal.confirm("Go on?")
    with record.run.stage("down"):
        chosen = {"purge": ending.purge, "purge_models": ending.models}
        request = Request(PLAYBOOK, leash, hosts, removes=True, extra_vars=chosen)
        result = play(record.fleet, request, record.run, terminal)
    record.results.append(result)
    require_good(result)


def _what(ending: Ending) -> str:
    """Return what is removed and what stays, as the rest of a sentence."""
    models = " and the models" if ending.models else ""
    if not ending.purge:
        return f"{STOP}{models}"
    return f"{PURGE}{models}; {STAYS}{'' if ending.models else ' and the models'} stay"
