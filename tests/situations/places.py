"""Which hosts of the lab there are for a lane, how root gets in, and how a host is made anew."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import yaml

from tests.lab.site import engine, keys, lanehosts, lanes, machines, probes
from tests.lab.site.command import tool
from tests.lab.site.layout import Host, Layout, Node, default_layout
from tests.lab.site.progress import Progress
from tests.lanes import venvs

from .schema import DEFAULT_LANE

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "inventories/lab/site.yml"
SERVING_HOSTS = 2
"""The first hosts belong to the main job, which serves on them."""
PATIENCE = 900.0


@dataclass(frozen=True, slots=True)
class Place:
    """A host: its site file as data with nothing but this host, a root shell, and how it is made anew."""

    name: str
    address: str
    lane: str
    site: dict[str, Any]
    fresh: Callable[[], None]
    lab: Path
    way_in: tuple[str, ...]
    """The words in front of a shell line that make root run it there."""
    through_ssh: bool = False
    interpreter: str = ""
    """Another Python to run the driver with, for a lane that needs one; empty: this one."""

    def as_root(self, line: str) -> list[str]:
        """Return the command that runs a shell line as root on the host."""
        return [*self.way_in, shlex.quote(line) if self.through_ssh else line]

    def driver(self, python: str) -> list[str]:
        """Return how the product is called for this host."""
        return [self.interpreter or python, "-m", "driver"]


def absolute(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a site with the paths of its files made absolute, so that it may lie anywhere."""
    connection = {
        key: str((folder / value).resolve()) if key in ("identity_file", "known_hosts") else value
        for key, value in document["connection"].items()
    }
    mirrors = {
        **document["mirrors"],
        **{
            kind: [
                {**source, "key_file": str((folder / source["key_file"]).resolve())} if "key_file" in source else source
                for source in document["mirrors"][kind]
            ]
            for kind in ("apt", "rpm")
            if kind in document["mirrors"]
        },
    }
    return {**document, "connection": connection, "mirrors": mirrors}


@lru_cache(maxsize=1)
def lab() -> tuple[Layout, engine.Engine]:
    """Return the lab that runs on this machine."""
    layout = default_layout()
    found = engine.find(layout)
    assert found is not None, "no container engine answers: run `provision lab up --hosts 6` first"
    return layout, found


@lru_cache(maxsize=1)
def lab_site() -> dict[str, Any]:
    """Return the lab's own site file, with absolute paths and without what nobody serves."""
    document = absolute(yaml.safe_load(SITE.read_text(encoding="utf-8")), SITE.parent)
    used = {service["model"] for service in document["services"]}
    return {**document, "models": [model for model in document["models"] if model["model"] in used], "images": []}


def node_place(node: Node) -> Place:
    """Return the place of one of the lab's plain servers."""
    document = lab_site()
    services = [
        {**service, "hosts": [node.name], "parallel": {"tensor": 1, "pipeline": 1}, "distributed": "none"}
        for service in document["services"]
    ]
    host = {**document["hosts"][0], "name": node.name, "address": str(node.address)}
    return _place(node, DEFAULT_LANE, {**document, "hosts": [host], "services": services}, lanes.host_system())


def lane_place(lane: lanes.Lane) -> Place:
    """Return the place of a server of lanes.yml; its site has its own package repository and nothing to serve."""
    layout, _ = lab()
    document = lab_site()
    mirrors = {key: value for key, value in document["mirrors"].items() if key not in ("apt", "rpm")}
    mirrors |= lane.site_mirrors(layout)
    site = {**document, "hosts": [lane.site_host()], "mirrors": mirrors, "models": [], "services": []}
    return _place(lane, lane.name, site, lane.system)


def _place(host: Host, lane: str, site: dict[str, Any], system: lanes.System) -> Place:
    layout, found = lab()

    def fresh() -> None:
        forget_connection(host.name, layout)
        know(host, layout)
        lanehosts.renew(layout, found, host, Progress())

    # not through sshd and sudo: those are what some situations are about
    inside = (tool("docker"), "--host", found.url, "exec", "-i", host.container, "sh", "-c")
    machine = isinstance(host, lanes.Lane) and host.kind == "vm"
    way_in = (*probes.ssh_arguments(layout, host), "sudo", "-n", "sh", "-c") if machine else inside
    series = system.ansible_core
    interpreter = str(venvs.python(layout, series)) if series else ""
    return Place(host.name, str(host.address), lane, site, fresh, layout.root, way_in, machine, interpreter)


def know(host: Host, layout: Layout) -> None:
    """Add the host's key to the lab's known_hosts, which has only those that were there when the lab was last made."""
    key = " ".join(keys.public_half(keys.host_key(layout, host)).read_text(encoding="ascii").split()[:2])
    if key not in layout.known_hosts.read_text(encoding="ascii"):
        with layout.known_hosts.open("a", encoding="ascii") as known:
            known.write(f"{host.name},{host.address} {key}\n")


def forget_connection(name: str, layout: Layout) -> None:
    """End the product's own connection to a host that goes away, which would keep silent for a minute."""
    for settings in (layout.root / "situations" / name).glob("*/rendered/ssh_config"):
        subprocess.run(
            [tool("ssh"), "-F", str(settings), "-O", "exit", name], capture_output=True, check=False, timeout=10
        )
        return


def places(lane: str) -> list[Place]:
    """Return the hosts that situations of *lane* may use; SITUATIONS_HOST names some with commas."""
    if lane != DEFAULT_LANE:
        return [lane_place(one) for one in lanes.chosen([lane])]
    _, found = lab()
    nodes = machines.existing_nodes(found)
    names = [name for name in os.environ.get("SITUATIONS_HOST", "").split(",") if name]
    chosen = [node for node in nodes if node.name in names] if names else nodes[SERVING_HOSTS:] or nodes
    assert chosen, f"SITUATIONS_HOST={','.join(names)}: the lab has {', '.join(node.name for node in nodes)}"
    return [node_place(node) for node in chosen]


@contextlib.contextmanager
def held(lane: str) -> Iterator[Place]:
    """Hold one host of *lane*, the first that nobody else holds; wait when all are held."""
    candidates = places(lane)
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        for place in candidates:
            folder = place.lab / "situations"
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"{place.name}.lock").open("a+", encoding="utf-8") as lock:
                if _lock(lock):
                    sys.stderr.write(f"situations on {place.name}\n")
                    yield place
                    return
        time.sleep(1)
    raise AssertionError(f"lane {lane}: {', '.join(place.name for place in candidates)} were held for {PATIENCE:.0f} s")


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
