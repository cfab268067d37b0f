"""Many converged hosts from one: the file system by `docker commit`, the engine's data by hard links.

A clone serves no model; it is a host that has everything else, with its own systemd, sshd and Docker Engine.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.lab.site import images, keys, machines, probes
from tests.lab.site.engine import Engine
from tests.lab.site.layout import Layout, Node

SOURCE = Node(100)
IMAGE = "provision-lab/converged"
# Written once and never again by the engine: safe to share. Everything else is copied.
SHARED = {"overlay2"}
# The engine makes it anew; it holds a device node that may not be copied.
LEFT_OUT = {"volumes"}


# Every systemd holds some; 128, what kernels start with, is enough for about sixteen machines.
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED = 8192


@contextmanager
def room_for_many() -> Iterator[None]:
    """Let this machine run many systems at once for as long as the clones live."""
    before = INOTIFY.read_text(encoding="ascii")
    if int(before) < INOTIFY_WANTED:
        INOTIFY.write_text(str(INOTIFY_WANTED), encoding="ascii")
    try:
        yield
    finally:
        INOTIFY.write_text(before, encoding="ascii")


def nodes(count: int) -> list[Node]:
    """Return the clones of a fleet of *count* hosts."""
    return [Node(SOURCE.index + number) for number in range(1, count + 1)]


def start_source(layout: Layout, found: Engine) -> None:
    """Start the bare server that becomes the pattern of all clones."""
    machines.remove(found, SOURCE.container, SOURCE.volume)
    machines.start(found, machines.server(layout, SOURCE, images.host_image(layout, found.client)))
    probes.wait_for_ssh(layout, SOURCE, found.url)


def freeze(found: Engine) -> None:
    """Stop the source and keep its file system as an image."""
    container = found.client.containers.get(SOURCE.container)
    container.update(restart_policy={"Name": "no"})
    container.stop(timeout=60)
    container.commit(repository=IMAGE, tag="latest")


def make(layout: Layout, found: Engine, wanted: list[Node]) -> None:
    """Make the clones that are missing and wait until each answers."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda node: _make_one(layout, found, node), wanted))


def _make_one(layout: Layout, found: Engine, node: Node) -> None:
    if machines.find(found, node.container) is None:
        found.client.volumes.create(node.volume, labels={"provision.lab": "node"})
        _copy_engine(_place(found, SOURCE), _place(found, node))
        machines.start(found, machines.server(layout, node, f"{IMAGE}:latest"))
    probes.wait_for_ssh(layout, node, found.url)


def _place(found: Engine, node: Node) -> Path:
    return Path(found.client.volumes.get(node.volume).attrs["Mountpoint"])


def _copy_engine(source: Path, target: Path) -> None:
    """Copy what a Docker Engine keeps; the layers of its images by hard links, whiteouts included."""
    for part in source.iterdir():
        if part.name not in LEFT_OUT:
            options = "-al" if part.name in SHARED else "-a"
            subprocess.run(["cp", options, str(part), str(target / part.name)], check=True)


def remove(found: Engine) -> None:
    """Remove every clone, the source and their image."""
    for node in [SOURCE, *nodes(99)]:
        machines.remove(found, node.container, node.volume)
    for image in found.client.images.list(name=IMAGE):
        found.client.images.remove(image.id, force=True)


def trust(layout: Layout, found: Engine, wanted: list[Node]) -> None:
    """Let the site's known_hosts have the source and the clones beside the servers that are there."""
    keys.write_known_hosts(layout, sorted({*machines.existing_nodes(found), SOURCE, *wanted}))
