"""Where the simulated site keeps its files, and what its machines are called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Protocol

REPOSITORY = Path(__file__).resolve().parents[3]
OWN_ROOT = REPOSITORY / ".lab"
ASSETS = Path(__file__).resolve().parent / "assets"

SUBNET = IPv4Network("10.77.0.0/24")
GATEWAY = IPv4Address("10.77.0.1")
SERVICES_ADDRESS = IPv4Address("10.77.0.2")
FIRST_HOST = 10
"""The address of node N ends in FIRST_HOST + N."""
MOST_HOSTS = 200
FIRST_LANE = FIRST_HOST + MOST_HOSTS
"""The address of lane N (lanes.yml) ends in FIRST_LANE + N."""

NETWORK = "provision-lab"
BRIDGE = "plab0"
SERVICES_CONTAINER = "provision-lab-services"
LABEL = "provision.lab"
OWNER_LABEL = "provision.lab.root"
"""On the network: the folder of the site that it belongs to."""
USER = "operator"
USER_ID = 2000
"""Not 1000: that id is for the account that the vendor's packages ask for."""
GROUP_ID = 37
"""Debian ships a group called operator with this id."""
REGISTRY = f"{SERVICES_ADDRESS}:5000"
UPSTREAM_REGISTRY = "quay.io"
"""The registry whose names the lab's own registry answers for."""
SUITE = "bookworm"
DEFAULT_HOSTS = 2


DEFAULT_CARDS = "a2"
"""The cards of lanes.yml that node1 .. nodeN have."""


class Host(Protocol):
    """A server of the site: what its container, its volume and its keys are called after."""

    @property
    def name(self) -> str: ...
    @property
    def container(self) -> str: ...
    @property
    def volume(self) -> str: ...
    @property
    def address(self) -> IPv4Address: ...
    @property
    def cards(self) -> str:
        """Key of its cards in lanes.yml."""

    @property
    def role(self) -> str:
        """Value of the label on its container."""


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """One simulated server; *index* counts from 1."""

    index: int

    @property
    def name(self) -> str:
        return f"node{self.index}"

    @property
    def container(self) -> str:
        return f"provision-lab-{self.name}"

    @property
    def volume(self) -> str:
        """Name of the volume that the server's own Docker Engine works on (overlay2 refuses to sit on overlay2)."""
        return f"{self.container}-docker"

    @property
    def address(self) -> IPv4Address:
        return SUBNET.network_address + FIRST_HOST + self.index

    @property
    def cards(self) -> str:
        return DEFAULT_CARDS

    @property
    def role(self) -> str:
        return "node"


@dataclass(frozen=True, slots=True)
class Layout:
    """Folders and files of the simulated site below *root*."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def engine(self) -> Path:
        return self.root / "engine"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def ssh(self) -> Path:
        return self.root / "ssh"

    @property
    def identity(self) -> Path:
        return self.ssh / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.ssh / "known_hosts"

    @property
    def apt(self) -> Path:
        return self.root / "apt"

    @property
    def archive_key(self) -> Path:
        return self.apt / "archive-key.asc"

    @property
    def packages(self) -> Path:
        """Files of the vendor, served at the root of the service host."""
        return self.root / "packages"

    @property
    def signing(self) -> Path:
        """The vendor's certificates and keys, and what a site has to name of them: root.pem, new.crl."""
        return self.root / "signing"

    @property
    def hub(self) -> Path:
        """Models, served by the hub."""
        return self.root / "hub"

    @property
    def programs(self) -> Path:
        """Programs of ours that run on the service host."""
        return self.root / "programs"

    @property
    def registry(self) -> Path:
        """Storage of the container registry: images are pushed once and outlive the service host."""
        return self.root / "registry"

    def pci(self, cards: str) -> Path:
        """Return the folder with the PCI functions of *cards*, a key of lanes.yml."""
        return self.root / ("pci" if cards == DEFAULT_CARDS else f"pci-{cards}")

    @property
    def resolver(self) -> Path:
        """The servers' /etc/resolv.conf."""
        return self.root / "resolv.conf"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def site_lock(self) -> Path:
        """Digests of the images that the site serves; a site of another folder keeps its own."""
        return (REPOSITORY / "inventories/lab" if self.root == OWN_ROOT else self.root) / "site.lock"


def default_layout() -> Layout:
    """Return the layout of this checkout, or of the folder that PROVISION_LAB names."""
    return Layout(Path(os.environ.get("PROVISION_LAB") or OWN_ROOT).resolve())
