"""The main job: observe, plan, ask, act on what drifts, observe again, check, and let the services answer.

A run without drift ends after the observation, which has already looked at everything the checks look at;
`verify` runs the independent checks and the chat then, too.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driver import fleet as fleets
from driver import host_python, lock, paths, planview, runs
from driver.errors import NotCompliant, TaskFailed
from driver.fleet import Fleet
from driver.observe import Observation, observe
from driver.record import Record, recorded
from driver.request import Request
from driver.scope import planned, scope
from driver.terminal import Terminal

if TYPE_CHECKING:
    from driver.plan import Plan
    from driver.runner import RunResult

PLAYBOOK = "site.yml"
MODELS = "model_store"
MOST_ROUNDS = 3
INSTALLER_PATIENCE_SECONDS = 1800.0
INSTALLER_LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks of `up`; `dry` is Ansible's --check --diff."""

    limit: str | None = None
    tags: str | None = None
    yes: bool = False
    dry: bool = False
    verify: bool = False


def up(name: str, wish: Wish, terminal: Terminal) -> Record:
    """Bring the site to what its file says; return the record of the run, which has its exit code and its error."""
    folder = paths.site_dir(name)
    began = time.monotonic()
    with lock.held(folder, "up", terminal.say) as leash:
        fleet = fleets.locked(name, terminal.say).limited(wish.limit, wish.tags)
        run = runs.start("up", fleet.name)
        run.stages.append(runs.Stage("render", round(time.monotonic() - began, 2)))
        record = Record(run, fleet, dry=wish.dry)
        with recorded(record):
            converge(record, wish, terminal, leash)
            if not wish.dry and (record.acted or wish.verify):
                prove(record, terminal)
        return record


def converge(record: Record, wish: Wish, terminal: Terminal, leash: Path) -> None:
    """Observe, show the plan, ask, and play what drifts until nothing does; raises what went wrong."""
    fleet, run = record.fleet, record.run
    for warning in fleet.warnings:
        terminal.say(f"warning: {warning}")
    with run.stage("observe"):
        seen = _quiet_hosts(fleet, terminal)
        record.fleet, record.plan = planned(fleet, seen, runs.seconds_of_roles(fleet.name), observe)
    if record.plan.changes:
        terminal.say(planview.text(record.plan, terminal.width(terminal.err)))
        host_python.require(seen.docs, record.plan.drifting)
        if not (wish.yes or wish.dry):
            terminal.confirm("Make these changes?")
        _rounds(record, wish, terminal, leash)


def _quiet_hosts(fleet: Fleet, terminal: Terminal) -> Observation:
    """Observe until no installer of an earlier, killed run is still working on a host; raises Unreachable."""
    limit = time.monotonic() + INSTALLER_PATIENCE_SECONDS
    while True:
        seen = observe(fleet)
        seen.require_all()
        busy = [host for host, document in seen.docs.items() if _installer(document)]
        if not busy:
            return seen
        if time.monotonic() > limit:
            minutes = INSTALLER_PATIENCE_SECONDS / 60
            raise TaskFailed(
                f"{', '.join(busy)}: a driver installer has run for {minutes:.0f} minutes; expected its end. An "
                f"earlier run or a person started it: look at its log on the host, then run again."
            )
        terminal.say(f"a driver installer is still running on {', '.join(busy)}; waiting for it to end")
        time.sleep(INSTALLER_LOOK_SECONDS)


def _installer(document: dict[str, object]) -> bool:
    facts = document.get("facts")
    driver = facts.get("npu_driver") if isinstance(facts, dict) else None
    return bool(isinstance(driver, dict) and driver.get("installer_running"))


def _rounds(record: Record, wish: Wish, terminal: Terminal, leash: Path) -> None:
    """Play what drifts until nothing does; what drifts after its role was played is a failure.

    A second round is for drift that only shows when an earlier one is mended.
    """
    todo = record.plan
    played: set[str] = set()
    for number in range(1, MOST_ROUNDS + 1):
        if todo is None or not todo.changes:
            return
        stuck = [change for change in todo.changes if change.role in played]
        if stuck:
            break
        hosts, tags = scope(record.fleet, todo)
        played |= set(tags)
        with (
            record.run.stage("act" if number == 1 else f"act ({number})"),
            _origins(record, todo, wish, terminal) as own,
        ):
            extra = {"reboot_batches": list(record.fleet.reboot_batches), **own}
            request = Request(PLAYBOOK, leash, hosts, tags, check=wish.dry, extra_vars=extra)
            _keep(record, _play(record, request, terminal))
        if wish.dry:
            return
        with record.run.stage("observe again" if number == 1 else f"observe again ({number})"):
            seen = observe(record.fleet)
            seen.require_all()
            record.fleet, todo = planned(record.fleet, seen, {}, observe)
        record.left = todo
    if todo and todo.changes:
        lines = "\n".join(f"  {change.sentence()}" for change in todo.changes)
        raise TaskFailed(f"Ansible reported success, but this still differs from the site:\n{lines}")


def _origins(
    record: Record, todo: Plan, wish: Wish, terminal: Terminal
) -> AbstractContextManager[dict[str, dict[str, Any]]]:
    """Return the context of a run in which this machine serves the models that it fetches, as extra variables."""
    if wish.dry or not any(change.role == MODELS for change in todo.changes):
        return nullcontext({})
    from driver.models.origin import serving

    return serving(record.fleet, todo, terminal.say)


def _play(record: Record, request: Request, terminal: Terminal) -> RunResult:
    from driver.act import play

    return play(record.fleet, request, record.run, terminal)


def _keep(record: Record, result: RunResult) -> None:
    from driver.act import require_good

    record.results.append(result)
    require_good(result)


def prove(record: Record, terminal: Terminal) -> None:
    """Run the independent checks, then ask every service one question; raises what the first red thing owns.

    Guests are asked only: their checks belong to a run that is about them.
    """
    from driver.chat import ask_all
    from driver.compliance import check

    terminal.say("checking the site …")
    with record.run.stage("check"):
        record.check = check(record.fleet.without_guests(), record.run.folder)
    record.check.require_good()
    with record.run.stage("chat"):
        record.replies = ask_all(record.fleet)
    silent = [f"service {reply.service} at {reply.url}: {reply.error}" for reply in record.replies if reply.error]
    if silent:
        raise NotCompliant("\n".join(silent))
