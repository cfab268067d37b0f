"""Verbs around the work: the report of the last run, and the simulated site."""

from __future__ import annotations

import subprocess
import sys

import click

from driver.cli_common import JSON, SITE_KEY, answer, on_site, stdout_width


@click.command(short_help="Show what the last run did, or run RUN.")
@on_site
@click.argument("run", required=False)
@JSON
def report(run: str | None, as_json: bool) -> None:
    """Show what a run did: the last one, or RUN (its id or a part of it), and where its page lies."""
    from driver import report as pages
    from driver import runs

    folder = runs.find(run, click.get_current_context().find_root().meta.get(SITE_KEY))
    document = runs.read(folder)
    if not (folder / pages.PAGE).is_file():
        pages.write_page(document, folder)
    width = stdout_width()
    text = pages.summary(document, folder, width)
    if document["check"]:
        text = pages.checks(document, width) + text
    if document["error"]:
        text += f"error: {document['error']}\n"
    answer(text, document, as_json)


@click.command(
    short_help="The simulated site: up, down, status, reset.",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def lab(words: tuple[str, ...]) -> int:
    """Make, show, reset or remove the simulated site: lab up, down, status, reset."""
    from driver import paths

    return subprocess.run([sys.executable, "-m", "tests.lab", *words], cwd=paths.ROOT, check=False).returncode


VERBS = (report, lab)
