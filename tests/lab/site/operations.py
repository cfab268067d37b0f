"""What a person can ask of the simulated site: up, down, reset, status."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.site import (
    content,
    emulation,
    engine,
    images,
    keys,
    lanehosts,
    lanes,
    machines,
    network,
    probes,
    registry,
    roots,
)
from tests.lab.site.archive import Downloader
from tests.lab.site.command import require, run
from tests.lab.site.engine import Engine
from tests.lab.site.errors import LabBusyError, LabError
from tests.lab.site.lanehosts import start_host
from tests.lab.site.lanes import Lane, host_system
from tests.lab.site.layout import DEFAULT_HOSTS, LABEL, MOST_HOSTS, SERVICES_CONTAINER, Host, Layout, Node
from tests.lab.site.progress import Progress
from tests.lab.site.steps import Steps

TOOLS = (
    "debootstrap",
    "setpriv",
    "unshare",
    "chroot",
    "tar",
    "apt-get",
    "dpkg",
    "dpkg-deb",
    "openssl",
    "gpg",
    "gpgconf",
    "ssh",
    "ssh-keygen",
    "ip",
)


def up(layout: Layout, progress: Progress, hosts: int | None = None, names: Sequence[str] = ()) -> dict[str, Any]:
    """Make the site, or whatever of it is missing, and return its state.

    *hosts* is the number of servers; None keeps those that there are, and makes DEFAULT_HOSTS when there are none.
    *names* are lanes to make as well; those that there are stay.

    Raises:
        LabError: a part cannot be made; what was made stays, and the next call goes on from there.
    """
    _check_machine(hosts)
    wanted = lanes.chosen(names)
    require(*TOOLS, *lanehosts.tools(wanted))
    with _locked(layout):
        with progress.stage("container engine"):
            found = engine.ensure(layout)
            network.ensure(found, layout)
        progress.say(
            f"container engine: {found.version} at {found.url}, {'our own' if found.ours else 'found running'}"
        )
        nodes = _wanted_nodes(found, hosts)
        wanted = lanehosts.with_existing(layout, found, wanted)
        keys.ensure(layout)
        keys.write_known_hosts(layout, [*nodes, *wanted])
        _build(layout, found, nodes, wanted, progress)
        lanehosts.reload_names(found)
        registry.write_lock(layout.site_lock, registry.digests())
        progress.say(f"the site is up: {', '.join(f'{host.name} {host.address}' for host in [*nodes, *wanted])}")
    return status(layout)


def reset(layout: Layout, progress: Progress, hosts: int | None = None) -> dict[str, Any]:
    """Throw the servers away and make bare ones; the service host and everything built stay.

    Raises:
        LabError: the site is not up.
    """
    _check_machine(hosts)
    with _locked(layout):
        found = _running_engine(layout)
        old = machines.existing_nodes(found)
        nodes = _wanted_nodes(found, hosts)
        with progress.stage(f"bare servers: {', '.join(node.name for node in nodes)}"):
            image = images.host_image(layout, found.client)
            keys.write_known_hosts(layout, [*nodes, *lanehosts.existing_lanes(layout, found)])
            with ThreadPoolExecutor(len(nodes) + len(old)) as pool:
                list(pool.map(lambda node: _remove_node(found, node), sorted({*old, *nodes})))
                list(pool.map(lambda node: start_host(layout, found, node, image, progress), nodes))
    return status(layout)


def fresh(layout: Layout, progress: Progress, names: Sequence[str]) -> dict[str, Any]:
    """Throw the hosts called *names* away and make bare ones; everything else is left alone.

    Several calls may be at work side by side, on different hosts.

    Raises:
        LabError: the site is not up, or has no host of such a name.
    """
    _check_machine(None)
    with _locked(layout, alone=False):
        found = _running_engine(layout)
        hosts = lanehosts.existing(layout, found, names)
        with progress.stage(f"bare servers: {', '.join(host.name for host in hosts)}"), ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: lanehosts.renew(layout, found, host, progress), hosts))
    return {"ready": True, "hosts": [host.name for host in hosts]}


def down(layout: Layout, progress: Progress, *, purge: bool = False) -> None:
    """Remove the site's machines and network, stop the engine if it is ours; *purge* removes what was built, too."""
    with _locked(layout):
        lanehosts.remove_virtual(layout)
        # An engine that was killed has left containers running; only an engine can take them away.
        found = engine.ensure(layout) if engine.was_killed(layout) else engine.find(layout)
        if found is not None:
            with progress.stage("machines and network"):
                _remove_all(layout, found, purge)
            found.client.close()
        if engine.stop(layout):
            progress.say("container engine: stopped")
        emulation.forget()
        _unmount_below(layout.root, layout.logs / "down.log")
        if purge and layout.root.exists():
            layout.site_lock.unlink(missing_ok=True)
            with progress.stage(f"what was built in {layout.root}"):
                shutil.rmtree(layout.root)


def status(layout: Layout) -> dict[str, Any]:
    """Return the state of the site, every part of it asked, and whether all is ready."""
    found = engine.find(layout)
    nodes = [*machines.existing_nodes(found), *lanehosts.existing_lanes(layout, found)] if found is not None else []
    services = probes.all_services() if found is not None else {}
    answers = probes.all_nodes(layout, nodes)
    ready = bool(services) and bool(nodes)
    ready = ready and all(answer.ok for answer in [*services.values(), *answers.values()])
    return {
        "ready": ready,
        "engine": {"url": found.url, "ours": found.ours, "version": found.version} if found is not None else None,
        "services": [
            {"name": name, "url": probes.SERVICES[name], "ok": answer.ok, "detail": answer.detail}
            for name, answer in services.items()
        ],
        "hosts": [_host_state(layout, found, node, answers[node]) for node in nodes if found is not None],
        "images": registry.digests() if services and services["registry"].ok else {},
    }


def _build(layout: Layout, found: Engine, nodes: list[Node], wanted: list[Lane], progress: Progress) -> None:
    """Make every part that is missing; independent ones side by side."""
    downloader = Downloader(layout.cache / "apt", layout.logs / "downloads.log")
    new_hub = content.programs(layout)
    steps = Steps(progress)
    lanehosts.plan(layout, found, wanted, steps, progress)
    base = steps.start("Debian root", lambda: roots.base_tarball(layout))
    host = steps.start("image of a bare server", lambda _: images.host_image(layout, found.client), base)
    for node in nodes:
        steps.start(
            f"server {node.name}", lambda image, node=node: start_host(layout, found, node, image, progress), host
        )
    services_image = steps.start(
        "image of the service host", lambda _: images.services_image(layout, found.client, downloader), base
    )
    repository = steps.start("apt repository", lambda _: content.repository(layout, downloader, host_system()), base)
    vendor = steps.start("packages of the vendor", lambda: content.vendor_packages(layout))
    model = steps.start("model", lambda: content.model(layout))
    wide = steps.start("model of many shards", lambda: content.wide_model(layout))
    large = steps.start("archive of a large image", lambda: content.image_archive(layout))
    services = steps.start("service host", lambda image: _start_services(layout, found, image, new_hub), services_image)
    steps.start("engine image", lambda _: content.engine_image(layout, progress), services)
    steps.start("services", lambda *_: _wait_for_services(found), services, repository, vendor, model, wide, large)
    steps.finish()
    for surplus in set(machines.existing_nodes(found)) - set(nodes):
        _remove_node(found, surplus)


def _start_services(layout: Layout, found: Engine, image: str, new_hub: bool) -> None:
    existing = machines.find(found, SERVICES_CONTAINER)
    if existing is not None and (new_hub or image not in existing.image.tags):
        machines.remove(found, SERVICES_CONTAINER)
    machines.start(found, machines.service_host(layout, image))
    probes.wait_for_service("registry", found.url)


def _wait_for_services(found: Engine) -> None:
    for name in probes.SERVICES:
        probes.wait_for_service(name, found.url)


def _remove_node(found: Engine, node: Node) -> None:
    machines.remove(found, node.container, node.volume)


def _remove_all(layout: Layout, found: Engine, purge: bool) -> None:
    """Remove every container, volume and the network of the site; with *purge* its images, too."""
    network.find(found, layout)
    for container in found.client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
        machines.remove(found, str(container.name))
    for volume in found.client.volumes.list(filters={"label": LABEL}):
        volume.remove(force=True)
    network.remove(found, layout)
    if purge and not found.ours:
        for image in found.client.images.list(name="provision-lab/*"):
            found.client.images.remove(image.id, force=True)


def _host_state(layout: Layout, found: Engine, node: Host, answer: probes.Answer) -> dict[str, Any]:
    return {
        "name": node.name,
        "address": str(node.address),
        "container": node.container,
        "state": lanehosts.state_of(layout, found, node),
        "ssh": answer.ok,
        "detail": answer.detail,
    }


def _wanted_nodes(found: Engine, hosts: int | None) -> list[Node]:
    if hosts is None:
        return machines.existing_nodes(found) or [Node(index) for index in range(1, DEFAULT_HOSTS + 1)]
    return [Node(index) for index in range(1, hosts + 1)]


def _running_engine(layout: Layout) -> Engine:
    found = engine.find(layout)
    if found is None or network.find(found, layout) is None or not machines.find(found, SERVICES_CONTAINER):
        raise LabError("the simulated site is not up; make it with `lab up`")
    return found


def _check_machine(hosts: int | None) -> None:
    if os.geteuid() != 0:
        raise LabError("the simulated site needs root: it makes network interfaces, containers and roots of servers")
    if hosts is not None and not 1 <= hosts <= MOST_HOSTS:
        raise LabError(f"--hosts {hosts}: expected 1 to {MOST_HOSTS}")


@contextmanager
def _locked(layout: Layout, *, alone: bool = True) -> Iterator[None]:
    """Hold the site's lock, *alone* or, after waiting for who is alone, with others.

    The kernel gives it back when this process ends, however it ends.

    Raises:
        LabBusyError: another process holds it, and *alone* is wanted.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
        except BlockingIOError as error:
            raise LabBusyError(f"{layout.lock} is held: another `lab` command is at work here; wait for it") from error
        yield


def _unmount_below(root: Path, log: Path) -> None:
    """Unmount what an engine has left below *root*, deepest first, so that removing files stays there."""
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    points = [re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), line.split()[4]) for line in text.splitlines()]
    for point in sorted((point for point in points if Path(point).is_relative_to(root)), reverse=True):
        run(["umount", point], log=log)
