"""`provision check`: the independent checks as a run of their own."""

from __future__ import annotations

from dataclasses import dataclass

from driver import fleet as fleets
from driver import runs
from driver.compliance import check as run_suite
from driver.record import Record, recorded
from driver.terminal import Terminal
from driver.units import count


@dataclass(frozen=True, slots=True)
class Scope:
    """What the command line asks of `check`; `words` is pytest's -k, `deep` adds the pings between all ports."""

    limit: str | None = None
    tags: str | None = None
    words: str | None = None
    deep: bool = False


def check(name: str, scope: Scope, terminal: Terminal) -> Record:
    """Check the site and return the record, red or green; the caller turns red into the exit code."""
    fleet = fleets.load(name).limited(scope.limit, scope.tags)
    run = runs.start("check", fleet.name)
    terminal.say(f"checking {count(len(fleet.hosts), 'host')} of site {fleet.name} …")
    record = Record(run, fleet)
    with recorded(record):
        with run.stage("check"):
            record.check = run_suite(fleet, run.folder, scope.words, deep=scope.deep)
        record.check.require_good()
    return record
