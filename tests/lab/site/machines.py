"""Making, finding and removing the containers that stand for the site's machines."""

from __future__ import annotations

import contextlib
import io
import tarfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import Mount

from tests.lab.site import keys, lanes, pci
from tests.lab.site.engine import Engine
from tests.lab.site.errors import LabError
from tests.lab.site.lanes import Lane
from tests.lab.site.layout import (
    GROUP_ID,
    LABEL,
    MOST_HOSTS,
    NETWORK,
    SERVICES_ADDRESS,
    SERVICES_CONTAINER,
    USER,
    USER_ID,
    Host,
    Layout,
    Node,
)

STOP_SIGNAL = "SIGRTMIN+3"
"""Asks systemd to shut down (systemd(1), Signals)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a container of the site is made from."""

    container: str
    hostname: str
    address: IPv4Address
    image: str
    role: str
    volumes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, tuple[bytes, int, int]] = field(default_factory=dict)
    """Absolute path -> content, mode, id of the owner; written before the machine first starts."""
    scratch: tuple[str, ...] = ()
    """Folders with a nameless volume, which goes when the machine goes."""


def server(layout: Layout, node: Host, image: str) -> Machine:
    """Return what simulated server *node* is made from."""
    key = keys.host_key(layout, node)
    functions = pci.write(layout.pci(node.cards), lanes.cards()[node.cards])
    return Machine(
        container=node.container,
        hostname=node.name,
        address=node.address,
        image=image,
        role=node.role,
        scratch=node.system.volumes if isinstance(node, Lane) else (),
        volumes={
            node.volume: {"bind": "/var/lib/docker", "mode": "rw"},
            str(functions): {
                "bind": "/sys/bus/pci/devices",
                "mode": "ro",
            },
            # The engine's own name server keeps silent in a network without a way out; the site's says no at once.
            str(layout.resolver): {"bind": "/etc/resolv.conf", "mode": "ro"},
        },
        files={
            "/etc/ssh/ssh_host_ed25519_key": (key.read_bytes(), 0o600, 0),
            "/etc/ssh/ssh_host_ed25519_key.pub": (keys.public_half(key).read_bytes(), 0o644, 0),
            f"/home/{USER}/.ssh/authorized_keys": (keys.ensure(layout).encode(), 0o600, USER_ID),
        },
    )


def service_host(layout: Layout, image: str) -> Machine:
    """Return what the service host is made from."""
    folders = {
        layout.packages: ("/srv/packages", "ro"),
        layout.apt / "repository": ("/srv/apt", "ro"),
        layout.hub: ("/srv/hub", "ro"),
        layout.programs: ("/opt/site", "ro"),
        layout.registry: ("/var/lib/docker-registry", "rw"),
    }
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return Machine(
        container=SERVICES_CONTAINER,
        hostname="services",
        address=SERVICES_ADDRESS,
        image=image,
        role="services",
        volumes={str(folder): {"bind": inside, "mode": mode} for folder, (inside, mode) in folders.items()},
    )


def start(engine: Engine, machine: Machine) -> Container:
    """Make and start *machine*, or start it when it exists; what a cut short run left half-made is made anew.

    Raises:
        LabError: the engine refuses; the text has its reason.
    """
    container = find(engine, machine.container)
    if container is not None and container.status in {"created", "dead", "removing"}:
        remove(engine, machine.container)
        container = None
    try:
        if container is None:
            container = _create(engine, machine)
        if container.status == "paused":
            container.unpause()
        container.start()
    except APIError as error:
        raise LabError(f"the engine at {engine.url} cannot start {machine.container}: {error.explanation}") from error
    return container


def find(engine: Engine, name: str) -> Container | None:
    """Return container *name*, or None."""
    try:
        return engine.client.containers.get(name)
    except NotFound:
        return None


def existing_nodes(engine: Engine) -> list[Node]:
    """Return the servers that the engine has, running or not, by index."""
    names = _names(engine, "node")
    return [node for node in map(Node, range(1, MOST_HOSTS + 1)) if node.container in names]


def existing_lanes(engine: Engine) -> list[Lane]:
    """Return the servers of lanes.yml that the engine has, running or not."""
    names = _names(engine, "lane")
    return [lane for lane in lanes.lanes() if lane.container in names]


def _names(engine: Engine, role: str) -> set[str]:
    filters = {"label": f"{LABEL}={role}"}
    return {str(found.name) for found in engine.client.containers.list(all=True, filters=filters, ignore_removed=True)}


def remove(engine: Engine, name: str, volume: str = "") -> bool:
    """Remove container *name* with its anonymous volumes, and *volume*; return whether the container existed."""
    container = find(engine, name)
    if container is not None:
        container.remove(force=True, v=True)
    if volume:
        with contextlib.suppress(NotFound):
            engine.client.volumes.get(volume).remove(force=True)
    return container is not None


def _create(engine: Engine, machine: Machine) -> Container:
    client = engine.client
    for name in machine.volumes:
        if not name.startswith("/"):
            client.volumes.create(name, labels={LABEL: machine.role})
    container = client.containers.create(
        machine.image,
        name=machine.container,
        hostname=machine.hostname,
        privileged=True,
        # A cgroup namespace and no bind of /sys/fs/cgroup: with the bind, all machines would share one system.slice.
        cgroupns="private",
        environment={"container": "docker"},
        tmpfs={"/run": "rw,nosuid,nodev,mode=755", "/tmp": "rw,exec,nosuid,nodev,mode=1777"},
        volumes={name: dict(place) for name, place in machine.volumes.items()},
        mounts=[Mount(folder, None) for folder in machine.scratch],
        restart_policy={"Name": "unless-stopped"},
        stop_signal=STOP_SIGNAL,
        network=NETWORK,
        networking_config={NETWORK: client.api.create_endpoint_config(ipv4_address=str(machine.address))},
        labels={LABEL: machine.role},
    )
    machine_id = uuid.uuid5(uuid.NAMESPACE_DNS, machine.container).hex
    files = {"/etc/machine-id": (f"{machine_id}\n".encode(), 0o444, 0), **machine.files}
    container.put_archive("/", _archive(files))
    return container


def _archive(files: Mapping[str, tuple[bytes, int, int]]) -> bytes:
    """Return a tar archive of *files*; the folder of a file of the operator belongs to the operator, too."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode, owner) in files.items():
            if owner:
                folder = tarfile.TarInfo(str(Path(name).parent)[1:])
                folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o700, owner, GROUP_ID
                archive.addfile(folder)
            entry = tarfile.TarInfo(name[1:])
            entry.size, entry.mode, entry.uid, entry.gid = len(content), mode, owner, GROUP_ID if owner else 0
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
