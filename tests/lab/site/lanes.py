"""Lanes: servers of other systems, architectures and cards than node1 .. nodeN have, as lanes.yml lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml

from tests.lab.site.archive import architecture
from tests.lab.site.errors import LabError
from tests.lab.site.layout import FIRST_LANE, SERVICES_ADDRESS, SUBNET, SUITE, Layout

DATA = Path(__file__).resolve().parents[1] / "lanes.yml"
MACHINE_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Debian's name of an architecture -> the kernel's."""
INTERFACE = "eth0"
HOST_SYSTEM = "debian12"
"""Key of lanes.yml: what node1 .. nodeN run."""


@dataclass(frozen=True, slots=True)
class Cards:
    """The accelerators of a host: what a site file calls them, and how the PCI bus shows each chip."""

    name: str
    type: str
    product: str
    chips: int
    device: str
    subsystem: str


@dataclass(frozen=True, slots=True)
class System:
    """What a host runs."""

    name: str
    distribution: str
    suite: str
    python: str
    packages: str = "apt"
    architecture: str = ""
    init: tuple[str, ...] = ()
    ansible_core: str = ""
    volumes: tuple[str, ...] = ()
    own_kernel: bool = False

    @property
    def debian_architecture(self) -> str:
        """Debian's name of the architecture, for example amd64."""
        return self.architecture or architecture()

    @property
    def foreign(self) -> bool:
        """Whether its programs need emulation on this machine."""
        return self.debian_architecture != architecture()

    @property
    def repository(self) -> str:
        """Path of its package repository on the service host."""
        if self.packages == "rpm":
            return "rpm"
        suite = "apt" if self.suite == SUITE else f"apt-{self.suite}"
        if self.own_kernel:
            return f"{suite}-own-kernel"
        return f"{suite}-{self.architecture}" if self.foreign else suite


@dataclass(frozen=True, slots=True)
class Lane:
    """One server of lanes.yml; a container, or a virtual machine where *kind* is vm."""

    name: str
    number: int
    system: System
    hardware: Cards
    kind: str = "container"
    slow: bool = False

    @property
    def container(self) -> str:
        return f"provision-lab-{self.name}"

    @property
    def volume(self) -> str:
        """Name of the volume that the server's own Docker Engine works on."""
        return f"{self.container}-docker"

    @property
    def address(self) -> IPv4Address:
        return SUBNET.network_address + FIRST_LANE + self.number

    @property
    def cards(self) -> str:
        return self.hardware.name

    @property
    def role(self) -> str:
        return "lane"

    @property
    def ansible_core(self) -> str:
        """Series of ansible-core whose modules run on the host's Python; empty: the pinned one does."""
        return self.system.ansible_core

    def site_host(self) -> dict[str, Any]:
        """Return the host's entry in a site file."""
        accelerator = {"type": self.hardware.type, "product": self.hardware.product, "count": self.hardware.chips}
        return {
            "name": self.name,
            "address": str(self.address),
            "interface": INTERFACE,
            "arch": MACHINE_NAMES[self.system.debian_architecture],
            "accelerator": accelerator,
        }

    def site_mirrors(self, layout: Layout) -> dict[str, list[dict[str, Any]]]:
        """Return what a site file says about the host's package repository, below its key `mirrors`."""
        url = f"http://{SERVICES_ADDRESS}/{self.system.repository}"
        common = {"name": "lab", "key_file": str(layout.archive_key), "exclusive": True}
        if self.system.packages == "rpm":
            return {"rpm": [{**common, "baseurl": url}]}
        return {"apt": [{**common, "uri": url, "suite": self.system.suite, "components": ["main"]}]}


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    return document


@cache
def cards() -> dict[str, Cards]:
    """Return every kind of cards, by name."""
    return {name: Cards(name, **fields) for name, fields in _document()["cards"].items()}


@cache
def systems() -> dict[str, System]:
    """Return every system, by name."""
    return {
        name: System(name, **{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})
        for name, fields in _document()["systems"].items()
    }


@cache
def lanes() -> tuple[Lane, ...]:
    """Return every lane, by number."""
    found = [
        Lane(
            name,
            fields["number"],
            systems()[fields["system"]],
            cards()[fields["cards"]],
            fields.get("kind", "container"),
            fields.get("slow", False),
        )
        for name, fields in _document()["lanes"].items()
    ]
    return tuple(sorted(found, key=lambda lane: lane.number))


def chosen(names: Iterable[str]) -> list[Lane]:
    """Return the lanes called *names*; `all` stands for every one.

    Raises:
        LabError: there is no lane of such a name.
    """
    known = {lane.name: lane for lane in lanes()}
    wanted = [known[name] for name in known] if "all" in (listed := list(names)) else []
    unknown = [name for name in listed if name not in known and name != "all"]
    if unknown:
        raise LabError(f"no lane is called {', '.join(unknown)}; {DATA.name} has {', '.join(known)}, and all")
    return wanted or [known[name] for name in dict.fromkeys(listed)]


def host_system() -> System:
    """Return the system of node1 .. nodeN."""
    return systems()[HOST_SYSTEM]
