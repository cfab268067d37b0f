"""The verb bundle: everything that a site needs in one folder, and the server that hosts without internet ask."""

from __future__ import annotations

import logging
import re
import socket
import sys
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driver.cli_common import JSON, SITE_KEY, answer, on_site, site_name, stdout_width, terminal, warn

if TYPE_CHECKING:
    from driver.bundle.offline import Missing
    from driver.bundle.store import Store
    from driver.bundle.survey import Item, Surveyor

EVERYWHERE = str(IPv4Address(0))
NOBODY = str(IPv4Address(0xC0000201))  # RFC 5737: nothing is sent there, only the route is looked up
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}


def _size(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """Return bytes of a text such as 4.7G."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", value.strip().upper())
    if found is None:
        raise click.BadParameter(f"found {value}; expected a size such as 4.7G or 25G")
    return int(float(found[1]) * _UNITS[found[2]])


FOLDER = click.option(
    "--bundle", "folder", metavar="FOLDER", type=click.Path(path_type=Path), help="The bundle; default: bundles/<site>."
)

UPDATE = click.option(
    "--update", is_flag=True, help="Ask again for what may be newer: repositories, images and models that nothing pins."
)


def _folder(given: Path | None) -> Path:
    """Return the folder of the bundle: the one that is named, else the one of the site."""
    from driver import paths

    if given is not None:
        return given
    name = click.get_current_context().find_root().meta.get(SITE_KEY)
    if name is None:
        raise click.UsageError("name the bundle with --bundle FOLDER, or the site with --inventory NAME")
    return paths.ROOT / "bundles" / paths.site_dir(name).name


@click.group(short_help="Everything that a site needs, for sites without internet.")
def bundle() -> None:
    """Everything that a site needs in one folder, by sha256: plan, build, verify, serve, add."""


def _surveyor(store: Store, update: bool) -> Surveyor:
    """Return what compares the site with the bundle in *store*."""
    from driver import resolve
    from driver.bundle import access, contents
    from driver.bundle.survey import Surveyor
    from driver.bundle.wanted import wanted

    site = resolve.load(site_name(), bundled=False)
    needs = wanted(site)
    warn([*site.warnings, *needs.notes])
    return Surveyor(needs, contents.read(store.root), store, access.of(site), access.secrets(site), update)


def _table(items: list[Item]) -> str:
    from driver import units
    from driver.table import table

    rows = []
    for item in items:
        state = "ok" if item.there else "failed" if item.fault else "to fetch"
        size = units.size(item.size) if item.size else "unknown"
        rows.append([state, item.kind, item.name, size, item.fault or item.note])
    rest = sum(item.rest for item in items)
    unknown = " and what has no known size" if any(item.bring and not item.rest for item in items) else ""
    total = f"{units.size(sum(item.size for item in items))} in all, {units.size(rest)}{unknown} to fetch\n"
    return table(("state", "kind", "name", "size", ""), rows, width=stdout_width()) + total


@bundle.command("plan", short_help="Say what a bundle needs, what it has, and how much is to be fetched.")
@on_site
@FOLDER
@UPDATE
@JSON
def plan(folder: Path | None, update: bool, as_json: bool) -> None:
    """Say what the site's bundle needs, what it has and how many bytes are to be fetched; nothing is written."""
    from driver.bundle.store import Store

    place = _folder(folder)
    items = list(_surveyor(Store(place), update).items())
    document: dict[str, Any] = {"bundle": str(place), "items": [item.as_data() for item in items]}
    document["missing_bytes"] = sum(item.rest for item in items)
    answer(_table(items), document, as_json)


@bundle.command("build", short_help="Fetch what is missing; run it again after an interruption.")
@on_site
@FOLDER
@UPDATE
@click.option("--volumes", metavar="SIZE", callback=_size, help="Then split it into folders of this size (4.7G, 25G).")
@click.option("--to", "target", metavar="FOLDER", type=click.Path(path_type=Path), help="Where volumes go.")
@JSON
def build(folder: Path | None, update: bool, volumes: int | None, target: Path | None, as_json: bool) -> None:
    """Fetch everything that the site needs and the bundle has not; what has arrived is kept, whatever happens."""
    from driver import units
    from driver.bundle import build as building
    from driver.bundle import volumes as splitting
    from driver.bundle.store import opened

    place, say = _folder(folder), terminal().say
    if volumes is not None:
        splitting.check(volumes)
    with opened(place, make=True) as store:
        surveyor = _surveyor(store, update)
        say("looking at the sources")
        items = list(surveyor.items())
        say(_table(items))
        manifest = building.build(store, surveyor.manifest, surveyor.wanted.site.name, items, say)
        made = (
            splitting.split(store, manifest, volumes, target or place.with_name(f"{place.name}-volumes"))
            if volumes
            else []
        )
    size = sum(size for size, _ in manifest.contents().values())
    lines = [f"{place}: {units.count(len(manifest.contents()), 'content')}, {units.size(size)}", *map(str, made)]
    answer("\n".join(lines), {"bundle": str(place), "bytes": size, "volumes": [str(one) for one in made]}, as_json)


@bundle.command("verify", short_help="Read all of it again and compare it with its sums.")
@on_site
@FOLDER
@click.option("--remove", is_flag=True, help="Remove what is spoilt or belongs to nothing.")
@JSON
def verify(folder: Path | None, remove: bool, as_json: bool) -> None:
    """Read every byte of the bundle again and say what is missing, spoilt or needed by nothing."""
    from driver.bundle import contents, verify
    from driver.bundle.store import Store, opened
    from driver.errors import NotCompliant

    place = _existing(_folder(folder))
    if remove:
        with opened(place, make=False) as store:
            verdict = verify.verify(store, contents.read(place), remove=True)
    else:
        verdict = verify.verify(Store(place), contents.read(place))
    answer(verdict.text(), verdict.as_data(), as_json)
    if not verdict.good:
        raise NotCompliant(f"{place}: {len(verdict.missing)} missing, {len(verdict.spoilt)} spoilt")


def _existing(place: Path) -> Path:
    from driver.bundle import contents
    from driver.errors import UsageError

    if not (place / contents.FILE).is_file():
        raise UsageError(f"{place}: found no {contents.FILE}; expected the folder of a bundle; name it with --bundle")
    return place


@bundle.command("add", short_help="Add files by hand, or join volumes.")
@on_site
@FOLDER
@click.option("--other", is_flag=True, help="Also take files that the site does not ask for.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@JSON
def add(folder: Path | None, other: bool, files: tuple[Path, ...], as_json: bool) -> None:
    """Add FILES by hand: vendors' files that ask for a login, as the site names them; a folder is a volume to join."""
    from driver import resolve
    from driver.bundle import add as adding
    from driver.bundle import contents, views
    from driver.bundle.store import opened
    from driver.bundle.wanted import wanted

    place = _folder(folder)
    named = click.get_current_context().find_root().meta.get(SITE_KEY)
    known = {}
    if named is not None:
        known = {file.name: file for file in wanted(resolve.load(named, bundled=False)).files}
    with opened(place, make=True) as store:
        manifest, lines = adding.add(store, contents.read(place), files, known, other=other)
        if all(map(store.has, (part for image in manifest.images for part in image.parts))):
            views.write(store, manifest)
    answer("\n".join(lines), {"bundle": str(place), "added": lines}, as_json)


@bundle.command("serve", short_help="Serve it to hosts: files, registry, hub, package repositories.")
@on_site
@FOLDER
@click.option("--address", default=EVERYWHERE, show_default=True, help="Address of this machine to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="0 lets the system choose."
)
@JSON
def serve(folder: Path | None, address: str, port: int, as_json: bool) -> None:
    """Serve the bundle until Ctrl-C: packages, contents by sum, models, images, repositories, Python packages."""
    from driver.bundle.server import make_server

    place = _existing(_folder(folder))
    with make_server(place, address, port) as server:
        bound = server.server_address[1]
        url = f"http://{_reachable(address)}:{bound}"
        logging.getLogger("driver.bundle").addHandler(logging.StreamHandler(sys.stderr))
        warn(_incomplete(place))
        says = f'{place} at {url}; site.yml of a site without internet says:\nbundle: {{url: "{url}"}}'
        answer(says, {"bundle": str(place), "url": url}, as_json)
        sys.stdout.flush()
        server.serve_forever()


def _incomplete(place: Path) -> list[str]:
    """Return a line when contents of the bundle are missing or of another size."""
    from driver.bundle import contents
    from driver.bundle.contents import Content
    from driver.bundle.store import Store

    store = Store(place)
    needed = contents.read(place).contents()
    lacking = [name for sha256, (size, name) in needed.items() if not store.has(Content(sha256=sha256, size=size))]
    return (
        [f"{len(lacking)} of {len(needed)} contents are missing, {lacking[0]} first: bundle verify"] if lacking else []
    )


def _reachable(address: str) -> str:
    """Return the address that hosts know this machine by; of a listener on all, the one towards the first host."""
    if address != EVERYWHERE:
        return address
    target = NOBODY
    if click.get_current_context().find_root().meta.get(SITE_KEY) is not None:
        from driver import resolve

        target = resolve.load(site_name()).hosts[0].address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
        except OSError:  # no route at all
            return socket.gethostname()
        return str(probe.getsockname()[0])


def offline_answer(folder: Path | None) -> tuple[list[Missing], str]:
    """Return what the site lacks when there is nothing but its bundle, and which bundle that is.

    It is the one in *folder*, else that of the server that the site names, else the site's own folder of bundles.
    """
    from driver import resolve
    from driver.bundle import contents, offline
    from driver.bundle.wanted import wanted

    site = resolve.load(site_name(), bundled=False)
    server = resolve.load(site_name()).bundle
    if folder is None and server is not None and server.url:
        return offline.missing(wanted(site), offline.from_server(server.url), None), server.url
    place = _folder(folder)
    return offline.missing(wanted(site), contents.read(place), place), str(place)


VERBS = (bundle,)
