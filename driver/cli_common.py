"""What all verbs share: the inventory option on both sides of the verb, the log, the terminal, JSON."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from driver.terminal import Terminal

Function = TypeVar("Function", bound=Callable[..., Any])
SITE_KEY = "provision.site"


def _note_site(ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Keep the name of the site; the one nearest to the verb wins, one in front of it is the default."""
    if value is not None:
        ctx.find_root().meta[SITE_KEY] = value
    return ctx.find_root().meta.get(SITE_KEY)


def _log_level(_ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    if value:
        logging.basicConfig(
            stream=sys.stderr, level=logging.DEBUG, format="%(relativeCreated)6.0f ms %(name)s: %(message)s"
        )
    return value


INVENTORY = click.option(
    "--inventory",
    "-i",
    metavar="NAME",
    callback=_note_site,
    expose_value=False,
    help="The site: a folder of inventories/ or a path.",
)
VERBOSE = click.option(
    "--verbose",
    "-v",
    is_flag=True,
    callback=_log_level,
    expose_value=False,
    is_eager=True,
    help="Say on stderr what is done in detail.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
LIMIT = click.option("--limit", metavar="HOSTS", help="Only these hosts, with commas.")
TAGS = click.option("--tags", metavar="ROLES", help="Only these roles, with commas.")
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def on_site(function: Function) -> Function:
    """Give a verb the options --inventory and --verbose after its name, too."""
    return INVENTORY(VERBOSE(function))


def site_name() -> str:
    """Return the site that the command line names; a usage error when it names none."""
    name = click.get_current_context().find_root().meta.get(SITE_KEY)
    if name is None:
        raise click.UsageError("name the site: --inventory NAME (a folder of inventories/, or a path)")
    return str(name)


def terminal() -> Terminal:
    """Return the ends of this process."""
    interactive = sys.stdin.isatty() and sys.stderr.isatty()
    return Terminal(sys.stdout, sys.stderr, lambda question: click.confirm(question, err=True), interactive)


def answer(text: str, document: Any, as_json: bool) -> None:
    """Write the result to stdout: *document* as JSON, or *text* for a person."""
    if as_json:
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        click.echo(text, nl=not text.endswith("\n"))


def warn(warnings: Iterable[str]) -> None:
    """Write what is worth knowing about the site, but refuses nothing, to stderr."""
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def stdout_width() -> int:
    """Return the columns of stdout, 0 when it is no terminal."""
    ends = terminal()
    return ends.width(ends.out)
