"""The repeatable rebuild of a site: down with --purge, up, check; every stage timed, one report."""

from __future__ import annotations

import time

from driver import fleet as fleets
from driver import lock, paths, runs
from driver.down import Ending, take_down
from driver.record import Record, recorded
from driver.terminal import Terminal
from driver.up import Wish, converge, prove


def rebuild(name: str, yes: bool, terminal: Terminal) -> Record:
    """Purge the whole site and bring it up again under one lock; return the record of the run."""
    folder = paths.site_dir(name)
    began = time.monotonic()
    with lock.held(folder, "rebuild", terminal.say) as leash:
        fleet = fleets.load(name)
        run = runs.start("rebuild", fleet.name)
        run.stages.append(runs.Stage("render", round(time.monotonic() - began, 2)))
        record = Record(run, fleet)
        with recorded(record):
            take_down(record, Ending(purge=True, yes=yes), terminal, leash)
            converge(record, Wish(yes=True), terminal, leash)
            prove(record, terminal)
        return record
