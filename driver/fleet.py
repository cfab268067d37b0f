"""The hosts of one site as the rendered inventory gives them; rendered again only when an input changed.

Every verb that talks to hosts starts here. Resolving a site costs more than observing one host, so what it
gave is remembered with the size and time of every input; nothing is remembered about a host.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from driver import paths
from driver.errors import SiteError
from driver.vaults import Secrets

LOG = logging.getLogger(__name__)
Wanted = dict[str, Any]
Stamp = list[list[Any]]
# What runs across hosts: what stops on one of them takes the others' part with it.
SERVING = ("ray_cluster", "inference_service")


@dataclass(frozen=True, slots=True)
class FleetHost:
    """One host: its name in the inventory, where it is, its roles in play order and what it must be.

    A *guest* is one that --limit left out and that comes along, with the serving roles only, for its Ray cluster.
    *generation* is that of its cards.
    """

    name: str
    address: str
    roles: tuple[str, ...]
    wanted: Wanted
    guest: bool = False
    generation: str = ""

    def clusters(self) -> set[str]:
        """Return the names of the services whose Ray cluster this host is a part of."""
        return {str(member["name"]) for member in self.wanted.get("ray_cluster", {}).get("members", [])}


@dataclass(frozen=True, slots=True)
class Service:
    """One inference service, seen from the host that answers for it."""

    name: str
    host: str
    served_name: str
    address: str
    port: int

    @property
    def base_url(self) -> str:
        """Return the address under which the service answers, without a path."""
        return f"http://{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The hosts of a site, and the one ssh configuration that reaches all of them.

    *mates* are the hosts that --limit left out though they share a Ray cluster with one that it kept, or with a mate.
    *unlocked* are the models whose files site.lock does not have, though this machine can ask for them.
    """

    name: str
    folder: Path
    rendered: Path
    python: str
    hosts: tuple[FleetHost, ...]
    warnings: tuple[str, ...] = ()
    mates: tuple[FleetHost, ...] = ()
    secrets: Secrets = field(default_factory=partial(Secrets, Path()))
    reboot_batches: tuple[int, ...] = (1, 10)
    unlocked: tuple[str, ...] = ()

    @property
    def ssh_config(self) -> Path:
        """Return the file that holds every connection setting."""
        return self.rendered / "ssh_config"

    @property
    def inventory(self) -> Path:
        """Return the inventory that Ansible reads."""
        return self.rendered / "hosts.yml"

    @property
    def roles(self) -> tuple[str, ...]:
        """Return the roles of all hosts in play order."""
        longest_first = sorted(self.hosts, key=lambda host: -len(host.roles))
        return tuple(dict.fromkeys(role for host in longest_first for role in host.roles))

    def host(self, name: str) -> FleetHost:
        """Return the host called *name*."""
        return next(host for host in self.hosts if host.name == name)

    def services(self) -> list[Service]:
        """Return every service once, with the host that owns its unit; none where --tags left services out."""
        return [
            Service(
                item["name"], host.name, item["served_name"], item.get("address") or host.address, int(item["port"])
            )
            for host in self.hosts
            if "inference_service" in host.roles
            for item in host.wanted.get("inference_service", {}).get("services", [])
        ]

    def limited(self, limit: str | None, tags: str | None = None) -> Fleet:
        """Return the part of the fleet that *limit* and *tags* name; each is a list with commas, None is all.

        Raises SiteError for a name that the site does not have: a limit that matches nothing must not look good.
        """
        hosts = self._chosen("--limit", limit, [host.name for host in self.hosts])
        roles = self._chosen("--tags", tags, list(self.roles))
        narrow = [replace(host, roles=tuple(role for role in host.roles if role in roles)) for host in self.hosts]
        playing = tuple(host for host in narrow if host.roles and host.name in hosts)
        if not playing:
            raise SiteError(f"--tags: {tags} is nothing that {limit} has; it belongs to {self._players(roles)}")
        near = _linked(playing, narrow)
        mates = tuple(
            replace(host, roles=tuple(role for role in host.roles if role in SERVING), guest=True)
            for host in narrow
            if host.name in near and host.name not in hosts
        )
        return replace(self, hosts=playing, mates=mates)

    def without_guests(self) -> Fleet:
        """Return the part of the fleet that was asked for."""
        return replace(self, hosts=tuple(host for host in self.hosts if not host.guest))

    def _players(self, roles: list[str]) -> str:
        return ", ".join(host.name for host in self.hosts if set(roles) & set(host.roles))

    def _chosen(self, option: str, text: str | None, known: list[str]) -> list[str]:
        if text is None:
            return known
        asked = [word.strip() for word in text.split(",") if word.strip()]
        unknown = [word for word in asked if word not in known]
        if unknown or not asked:
            found = f"{', '.join(unknown)} is not in site {self.name}" if unknown else "found no name"
            raise SiteError(f"{option}: {found}; known are {', '.join(known)}")
        return asked


def _linked(some: Iterable[FleetHost], hosts: Iterable[FleetHost]) -> set[str]:
    """Return the names of the *hosts* that Ray clusters link to *some*, directly or through others."""
    names: set[str] = set()
    clusters = {name for host in some for name in host.clusters()}
    while new := [host for host in hosts if host.name not in names and clusters & host.clusters()]:
        names.update(host.name for host in new)
        clusters.update(name for host in new for name in host.clusters())
    return names


def load(name: str) -> Fleet:
    """Return the fleet of site *name*, resolving and rendering it when an input changed since last time."""
    folder = paths.site_dir(name)
    memory = paths.control_dir() / f"site-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.json"
    known = _remembered(memory)
    if known is not None and known["stamp"] == _stamp(folder):
        LOG.debug("%s: nothing changed since it was rendered", folder)
        return _fleet(folder, known["site"])
    return _resolved(name, folder, memory)


def locked(name: str, say: Callable[[str], None]) -> Fleet:
    """Return the fleet of site *name*, as load() does, with site.lock completed before; *say* hears what that did."""
    fleet = load(name)
    if fleet.unlocked:
        from driver.models import unlocked

        if unlocked.complete(name, fleet.unlocked, say):
            return load(name)
    return fleet


def _resolved(name: str, folder: Path, memory: Path) -> Fleet:
    from driver import render, resolve  # pydantic, YAML and Jinja cost more than a whole observation

    site = resolve.load(name)
    render.render(site, write=True)
    python = site.connection.python
    hosts = [
        {
            "name": host.name,
            "address": str(host.address),
            "roles": list(host.roles),
            "generation": host.accelerator.generation,
        }
        for host in site.hosts
    ]
    known: dict[str, Any] = {"name": site.name, "rendered": str(site.rendered), "python": python, "hosts": hosts}
    known["warnings"] = list(site.warnings)
    known["secrets"] = site.secrets
    known["vault"] = site.vault.model_dump() if site.vault else None
    known["encrypt"] = site.moves.encrypt
    known["unlocked"] = [model.name for model in site.models if model.listable and not model.files]
    known["reboot_batches"] = [site.npu.reboot.canary, site.npu.reboot.batch]
    draft = memory.with_suffix(".new")
    draft.write_text(json.dumps({"stamp": _stamp(folder), "site": known}), encoding="utf-8")
    draft.replace(memory)
    return _fleet(folder, known)


def _fleet(folder: Path, site: dict[str, Any]) -> Fleet:
    rendered = Path(site["rendered"])
    hosts = tuple(
        FleetHost(
            host["name"],
            host["address"],
            tuple(host["roles"]),
            json.loads((rendered / "wanted" / f"{host['name']}.json").read_text(encoding="utf-8")),
            generation=host["generation"],
        )
        for host in site["hosts"]
    )
    return Fleet(
        site["name"],
        folder,
        rendered,
        site["python"],
        hosts,
        warnings=tuple(site["warnings"]),
        secrets=Secrets(folder, site["secrets"], site["vault"], site["encrypt"]),
        reboot_batches=tuple(site["reboot_batches"]),
        unlocked=tuple(site["unlocked"]),
    )


def _remembered(memory: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and {"stamp", "site"} <= known.keys() else None


def _stamp(folder: Path) -> Stamp:
    """Return path, size and time of everything that decides what is rendered, and of what was rendered."""
    return [[str(path), stat.st_size, stat.st_mtime_ns] for path in _inputs(folder) for stat in [path.stat()]]


def _inputs(folder: Path) -> Iterator[Path]:
    yield from _files(folder.iterdir())
    yield from _files((folder / "rendered").rglob("*"))
    yield from _files(paths.TEMPLATES.rglob("*.j2"))
    yield from _files((paths.CATALOG).rglob("*.yml"))
    yield from _files((paths.ROOT / "driver").rglob("*.py"))


def _files(found: Iterable[Path]) -> list[Path]:
    return sorted(path for path in found if path.is_file())
