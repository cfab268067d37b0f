"""Verbs that talk to hosts: plan, up, check, status, rebuild, down, prune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driver.cli_common import JSON, LIMIT, TAGS, YES, answer, on_site, site_name, stdout_width, terminal, warn
from driver.errors import UsageError

if TYPE_CHECKING:
    from driver.record import Record


@click.command(short_help="Show what `up` would change; only reads.")
@on_site
@LIMIT
@TAGS
@JSON
def plan(limit: str | None, tags: str | None, as_json: bool) -> None:
    """Show what `up` would change: from, to, reboots, what stops, bytes, minutes. Only reads."""
    from driver import fleet as fleets
    from driver import planview, runs
    from driver.observe import observe
    from driver.scope import planned

    fleet = fleets.locked(site_name(), terminal().say).limited(limit, tags)
    warn(fleet.warnings)
    seen = observe(fleet)
    seen.require_all()
    _, found = planned(fleet, seen, runs.seconds_of_roles(fleet.name), observe)
    answer("" if as_json else planview.text(found, stdout_width()), found.as_json(), as_json)


@click.command(short_help="Bring the site to what its file says.")
@on_site
@LIMIT
@TAGS
@YES
@click.option("--check", "dry", is_flag=True, help="Let Ansible only say what it would do (--check --diff).")
@click.option("--verify", is_flag=True, help="Run the checks and ask the services even when nothing had to be done.")
@JSON
def up(as_json: bool, **given: Any) -> int:
    """Bring the site to what its file says: look, plan, ask, act, look again, check."""
    from driver import up as verb

    record = verb.up(site_name(), verb.Wish(**given), terminal())
    for result in record.results if given["dry"] and not as_json else []:
        click.echo(result.log.read_text(encoding="utf-8", errors="replace"))
    return _report(record, as_json)


@click.command(short_help="Prove that the site is what its file says.")
@on_site
@LIMIT
@TAGS
@click.option("-k", "words", metavar="EXPRESSION", help="Only checks whose name fits, as in pytest -k.")
@click.option("--deep", is_flag=True, help="Also ping between all ports of the cards and hash the models; slow.")
@JSON
def check(as_json: bool, **given: Any) -> int:
    """Prove that the site is what its file says; independent of the roles. Exit code 6 when it is not."""
    from driver import check as verb

    return _report(verb.check(site_name(), verb.Scope(**given), terminal()), as_json)


@click.command(short_help="Show the site as it is now.")
@on_site
@LIMIT
@JSON
def status(limit: str | None, as_json: bool) -> int:
    """Show the site as it is now: NPUs, driver, Docker, services, drift. Exit code 4 when a host does not answer."""
    from driver import fleet as fleets
    from driver import status as verb
    from driver.errors import Unreachable
    from driver.observe import observe

    fleet = fleets.load(site_name()).limited(limit)
    seen = observe(fleet)
    found = verb.status(fleet, seen)
    answer("" if as_json else found.text(stdout_width()), found.document, as_json)
    return Unreachable.exit_code if seen.faults else 0


@click.command(short_help="`down --purge` and `up` in one run, timed.")
@on_site
@YES
@JSON
def rebuild(yes: bool, as_json: bool) -> int:
    """Remove what `down --purge` removes and bring the site up again, timed.

    The packages of the distribution, the account and the models stay on the hosts.
    """
    from driver import rebuild as verb

    return _report(verb.rebuild(site_name(), yes, terminal()), as_json)


@click.command()
@on_site
@LIMIT
@click.option("--purge", is_flag=True, help="Remove everything that `up` brought, but for packages and the account.")
@click.option("--models", is_flag=True, help="Remove the models, too.")
@YES
@JSON
def down(as_json: bool, **given: Any) -> int:
    """Stop the services of the site and remove their units and containers.

    With --purge also images, obsutil, the container runtime, the network settings of the cards, firmware, driver, and
    what the site set of Docker and of the system. Packages of the distribution and the account stay in any case.
    """
    from driver import down as verb

    return _report(verb.down(site_name(), verb.Ending(**given), terminal()), as_json)


@click.command(short_help="Remove old images of the site that nobody needs.")
@on_site
@LIMIT
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be removed.")
@YES
@JSON
def prune(limit: str | None, only_plan: bool, yes: bool, as_json: bool) -> int:
    """Remove images of the site's own repositories that the site does not want any more and no container uses.

    The plan is shown and asked about first. A stopped container needs its image, too; images of others stay.
    """
    from driver import fleet as fleets
    from driver.images import prune as verb
    from driver.observe import observe

    if only_plan:
        fleet = fleets.load(site_name()).limited(limit, verb.ROLE)
        seen = observe(fleet)
        seen.require_all()
        found: verb.Plan | Record = verb.plan(fleet, seen)
    else:
        found = verb.prune(site_name(), limit, yes, terminal(), stdout_width())
    if isinstance(found, verb.Plan):
        answer("" if as_json else found.text(stdout_width()), found.as_json(), as_json)
        return 0
    return _report(found, as_json)


def _report(record: Record, as_json: bool) -> int:
    """Write what a run did to stdout and why it failed to stderr; return its exit code."""
    from driver import report

    document = record.document()
    if as_json:
        answer("", document, as_json)
    elif record.exit_code != UsageError.exit_code:
        width = stdout_width()
        checks = report.checks(document, width) if record.check else ""
        answer(checks + report.summary(document, record.run.folder, width), document, as_json)
    if record.error:
        click.echo(f"Error: {record.error}", err=True)
    return record.exit_code


VERBS = (plan, up, check, status, rebuild, down, prune)
