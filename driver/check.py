"""`provision check`: the independent checks as a run of their own."""

from __future__ import annotations

from driver import fleet as fleets
from driver import runs
from driver.compliance import check as run_suite
from driver.record import Record, recorded
from driver.terminal import Terminal
from driver.units import count


def check(name: str, limit: str | None, tags: str | None, words: str | None, terminal: Terminal) -> Record:
    """Check the site and return the record, red or green; the caller turns red into the exit code."""
    fleet = fleets.load(name).limited(limit, tags)
    run = runs.start("check", fleet.name)
    terminal.say(f"checking {count(len(fleet.hosts), 'host')} of site {fleet.name} …")
    record = Record(run, fleet)
    with recorded(record):
        with run.stage("check"):
            record.check = run_suite(fleet, run.folder, words)
        record.check.require_good()
    return record
