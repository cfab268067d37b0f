"""The images of the simulated site: a bare server of each system, and the service host."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import docker

from tests.lab.site import emulation, systemfiles
from tests.lab.site.archive import Downloader
from tests.lab.site.lanes import System, host_system
from tests.lab.site.layout import ASSETS, GROUP_ID, USER, USER_ID, Layout
from tests.lab.site.roots import (
    chroot,
    copy_tree,
    digest,
    dpkg_status,
    held,
    install,
    pack,
    package_list,
    tree,
    unpack_base,
)
from tests.lab.site.roots import downloader as downloader_of
from tests.lab.site.runtime import install_runtime, needs_narrow_runtime

RECIPE = 1
"""Raise it when the code below makes another image out of the same assets."""
MASKED_UNITS = (
    # A container shares the machine's kernel: these would act on the machine itself.
    "systemd-udev-trigger.service",
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-sysctl.service",
    "systemd-modules-load.service",
    "systemd-binfmt.service",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "dev-hugepages.mount",
    "proc-sys-fs-binfmt_misc.automount",
    # There is no console to log in at.
    "getty.target",
    # Housekeeping that only makes measured times noisy.
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "dpkg-db-backup.timer",
)


def host_image(layout: Layout, client: docker.DockerClient, system: System | None = None) -> str:
    """Return the tag of the image of a bare server of *system* (by default that of node1 .. nodeN).

    It is made when the engine does not have it.
    """
    system = system or host_system()
    tag = f"provision-lab/host:{digest([*_host_key(system), needs_narrow_runtime()])}"
    if not _known(client, tag):
        with held(layout, tag.rpartition(":")[2]):
            if not _known(client, tag):
                _build_host(layout, client, system, tag)
    return tag


def services_image(layout: Layout, client: docker.DockerClient, downloader: Downloader) -> str:
    """Return the tag of the image of the service host; make it when the engine does not have it."""
    packages = package_list("services")
    trees = [tree(ASSETS / "host"), tree(ASSETS / "services")]
    tag = f"provision-lab/services:{digest([base_key(host_system()), trees, packages])}"
    if not _known(client, tag):
        log = layout.logs / "services-image.log"
        folder = layout.cache / f"debs-{digest([base_key(host_system()), packages])}"
        debs = downloader.fetch(packages, dpkg_status(layout), folder)
        root = unpack_base(layout, host_system(), "services", log)
        make_server(root, log)
        install(root, debs, log)
        copy_tree(ASSETS / "services", root)
        units = ["nginx.service", "docker-registry.service", "hub.service", "names.service", "obs.service"]
        chroot(root, log, "systemctl", "enable", *units)
        _import(layout, client, root, tag, log)
    return tag


def repository_packages(layout: Layout, downloader: Downloader, system: System | None = None) -> list[Path]:
    """Return the .deb files that the repository of *system* offers for a bare server."""
    system = system or host_system()
    packages = package_list("repository", system)
    folder = layout.cache / f"debs-{digest([base_key(system), packages])}"
    return downloader.fetch(packages, dpkg_status(layout, system), folder)


def _build_host(layout: Layout, client: docker.DockerClient, system: System, tag: str) -> None:
    """Make the image of a bare server of *system* and call it *tag*."""
    log = layout.logs / f"host-image-{system.name}.log"
    added = package_list("added", system)
    debs = []
    if added:
        folder = layout.cache / f"debs-{digest([base_key(system), 'added', added])}"
        debs = downloader_of(layout, system).fetch(added, dpkg_status(layout, system), folder)
    if system.foreign:
        emulation.ensure(system.architecture, log)
    root = unpack_base(layout, system, f"host-{system.name}", log)
    if debs:
        install(root, debs, log)
    make_server(root, log)
    systemfiles.adapt(root, system, log)
    _import(layout, client, root, tag, log, system.init)


def make_server(root: Path, log: Path) -> None:
    """Turn a minimal root into a server that an operator can log in to."""
    copy_tree(ASSETS / "host", root)
    (root / f"etc/sudoers.d/{USER}").chmod(0o440)
    chroot(
        root,
        log,
        "useradd",
        "--create-home",
        "--shell",
        "/bin/bash",
        "--uid",
        str(USER_ID),
        "--gid",
        str(GROUP_ID),
        USER,
    )
    chroot(root, log, "systemctl", "enable", "site-route.service")
    chroot(root, log, "systemctl", "mask", *MASKED_UNITS)
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()
    # Every server gets its own when it is made.
    (root / "etc/machine-id").write_text("", encoding="ascii")
    (root / "etc/hostname").unlink(missing_ok=True)
    if needs_narrow_runtime():
        # Stands before the real one in the PATH of services, so any engine in the server finds it under runc's name.
        install_runtime(root / "usr/local/sbin/runc")


def _import(
    layout: Layout, client: docker.DockerClient, root: Path, tag: str, log: Path, init: Sequence[str] = ()
) -> None:
    tarball = layout.cache / f"{root.name}.tar"
    pack(root, tarball, log)
    repository, _, version = tag.rpartition(":")
    changes = [f"CMD {json.dumps(['/sbin/init', *init])}"]
    client.api.import_image_from_file(str(tarball), repository=repository, tag=version, changes=changes)
    tarball.unlink()
    shutil.rmtree(root)


def _known(client: docker.DockerClient, tag: str) -> bool:
    return bool(client.images.list(name=tag))


def base_key(system: System) -> list[object]:
    packages = package_list("host", None if system.packages == "rpm" else system)
    return [RECIPE, system.suite, system.debian_architecture, packages, MASKED_UNITS, USER_ID]


def _host_key(system: System) -> list[object]:
    """Return what decides how the image of *system* looks."""
    special = [package_list("added", system), systemfiles.key(system), list(system.init)]
    return [base_key(system), tree(ASSETS / "host"), *([special] if any(special) else [])]
