"""Verbs that touch no host: validate, render, commands, explain."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driver.cli_bundle import offline_answer
from driver.cli_common import JSON, answer, on_site, site_name, stdout_width, warn
from driver.errors import SiteError

if TYPE_CHECKING:
    from driver.bundle.offline import Missing


@click.command()
@on_site
@click.option(
    "--offline", is_flag=True, help="Also say what is missing in the site's bundle, for a site without internet."
)
@click.option("--bundle", "folder", metavar="FOLDER", type=click.Path(path_type=Path), help="That bundle's folder.")
@JSON
def validate(offline: bool, folder: Path | None, as_json: bool) -> None:
    """Check site.yml against the catalog; one line per fault."""
    from driver import resolve

    try:
        site = resolve.load(site_name())
    except SiteError as error:
        if as_json:
            answer("", {"site": site_name(), "valid": False, "faults": list(error.lines)}, as_json)
        raise
    warn(site.warnings)
    hosts = [host.name for host in site.hosts]
    services = [service.name for service in site.services]
    text = f"site {site.name} is valid: hosts {', '.join(hosts)}; services {', '.join(services) or 'none'}"
    document = {"site": site.name, "valid": True, "hosts": hosts, "services": services, "warnings": list(site.warnings)}
    missing: list[Missing] = []
    if offline or folder:
        missing, place = offline_answer(folder)
        document |= {"offline": not missing, "bundle": place, "missing": [asdict(one) for one in missing]}
        text += f"\n{place} has everything that it needs" if not missing else ""
    answer(text, document, as_json)
    if missing:
        raise SiteError(map(str, missing))


@click.command()
@on_site
@click.option("--diff", is_flag=True, help="Only show what would change; write nothing.")
@JSON
def render(diff: bool, as_json: bool) -> None:
    """Write rendered/ from site.yml and the catalog."""
    from driver import paths, resolve
    from driver import render as rendering

    site = resolve.load(site_name())
    warn(site.warnings)
    result = rendering.render(site, write=not diff)
    changed = [str(path) for path in result.changed]
    verb = "would change" if diff else "wrote"
    lines = [f"{verb} {paths.shown(path)}" for path in result.changed]
    text = "\n".join(lines or [f"{paths.shown(result.folder)} is up to date"])
    if diff and result.diff:
        text = f"{result.diff}\n{text}"
    answer(text, {"folder": str(result.folder), "changed": changed, "diff": result.diff, "written": not diff}, as_json)


@click.command(short_help="Print the shell commands for the same result by hand.")
@on_site
@JSON
def commands(as_json: bool) -> None:
    """Print, per host and in order, the shell commands that a person would type for the same result."""
    from driver import commands as lister
    from driver import resolve

    site = resolve.load(site_name())
    warn(site.warnings)
    found = lister.commands(site)
    parts = ["\n".join(lines) + "\n" for lines in found.values()]
    answer("\n".join(parts), found, as_json)


@click.command()
@click.option(
    "--npu-smi", "npu_smi", metavar="FILE", required=True, help="Output of npu-smi to understand; - is standard input."
)
@JSON
def explain(npu_smi: str, as_json: bool) -> None:
    """Say what a piece of output means, offline."""
    from driver import explain_smi

    try:
        raw = sys.stdin.buffer.read() if npu_smi == "-" else Path(npu_smi).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{npu_smi}: {error.strerror}", param_hint="--npu-smi") from error
    found = explain_smi.understand(raw.decode("utf-8", errors="replace"))
    answer(_smi_text(found), found, as_json)


def _smi_text(found: dict[str, Any]) -> str:
    from driver.table import table

    width = stdout_width()
    parts = [f"npu-smi {found['version']}\n"] if found["version"] else []
    for name in ("chips", "processes"):
        rows = found[name]
        if rows:
            cells = [["" if value is None else str(value) for value in row.values()] for row in rows]
            parts.append(table(tuple(rows[0]), cells, width=width))
    code = f" {found['code']}" if found.get("code") else ""
    parts += [f"error{code}: {found['error']}\n"] if found.get("error") else []
    parts += [f"not understood: {text}\n" for text in found.get("not_understood", [])]
    return "".join(parts)


VERBS = (validate, render, commands, explain)
