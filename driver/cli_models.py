"""The verb about models and images at their sources: lock."""

from __future__ import annotations

from dataclasses import asdict

import click

from driver.cli_common import JSON, answer, on_site, site_name


@click.command(short_help="Write into site.lock what models and images are at their sources.")
@on_site
@click.option("--update", is_flag=True, help="Ask again for everything, also for what is locked.")
@JSON
def lock(update: bool, as_json: bool) -> int:
    """Ask the sources of the models and the registries, and write what they have into site.lock. Touches no host.

    Of models commit, files, sizes and checksums, of images the digests of their tags. Later runs obey it. Exit code 5
    when a source did not answer; what was locked of it stays.
    """
    from driver import resolve
    from driver.errors import TaskFailed
    from driver.images import lock as images
    from driver.models import locking

    site = resolve.load(site_name())
    outcomes, pinned = locking.lock(site, update=update), images.lock(site, update=update)
    said = [*((one.sentence(), one.fault) for one in outcomes), *((one.sentence(), one.fault) for one in pinned)]
    good = [sentence for sentence, fault in said if not fault]
    document = locking.document(site, outcomes) | {"images": [asdict(one) for one in pinned]}
    answer("\n".join(good or ["nothing was locked"]), document, as_json)
    faults = [sentence for sentence, fault in said if fault]
    for line in faults:
        click.echo(f"Error: {line}", err=True)
    return TaskFailed.exit_code if faults else 0


VERBS = (lock,)
