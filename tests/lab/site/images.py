"""The two images of the simulated site: a bare server, and the service host."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import docker
import yaml

from tests.lab.site.archive import Downloader, architecture, debootstrap_arguments
from tests.lab.site.command import run
from tests.lab.site.layout import ASSETS, GROUP_ID, SUITE, USER, USER_ID, Layout
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


def package_list(which: str) -> list[str]:
    """Return list *which* of packages.yml."""
    lists = yaml.safe_load((ASSETS / "packages.yml").read_text(encoding="utf-8"))
    return list(lists[which])


def base_tarball(layout: Layout) -> Path:
    """Return a tarball of a minimal Debian root with the packages of a bare server; make it when it is missing."""
    packages = package_list("host")
    tarball = layout.cache / f"base-{_digest([SUITE, architecture(), packages])}.tar"
    if tarball.exists():
        return tarball
    log = layout.logs / "debootstrap.log"
    root = fresh_folder(layout.cache / "base.partial")
    # Namespaces of its own: what debootstrap has started and mounted goes away with it, even when it is killed.
    inside = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc"]
    run([*inside, *debootstrap_arguments(packages, root)], log=log)
    for leftover in (*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*_*")):
        leftover.unlink()
    _pack(root, tarball, log)
    shutil.rmtree(root)
    return tarball


def dpkg_status(layout: Layout) -> Path:
    """Return the dpkg status file of the bare server's root: what is installed there."""
    tarball = base_tarball(layout)
    folder = tarball.with_suffix(".status")
    folder.mkdir(exist_ok=True)
    run(["tar", "-C", folder, "-xf", tarball, "./var/lib/dpkg/status"], log=layout.logs / "images.log")
    return folder / "var/lib/dpkg/status"


def host_image(layout: Layout, client: docker.DockerClient) -> str:
    """Return the tag of the image of a bare server; make it when the engine does not have it."""
    tag = f"provision-lab/host:{_digest([_base_key(), _tree(ASSETS / 'host'), needs_narrow_runtime()])}"
    if not _known(client, tag):
        log = layout.logs / "host-image.log"
        root = _unpack_base(layout, "host", log)
        _make_server(root, log)
        _import(layout, client, root, tag, log)
    return tag


def services_image(layout: Layout, client: docker.DockerClient, downloader: Downloader) -> str:
    """Return the tag of the image of the service host; make it when the engine does not have it."""
    packages = package_list("services")
    trees = [_tree(ASSETS / "host"), _tree(ASSETS / "services")]
    tag = f"provision-lab/services:{_digest([_base_key(), trees, packages])}"
    if not _known(client, tag):
        log = layout.logs / "services-image.log"
        debs = downloader.fetch(
            packages, dpkg_status(layout), layout.cache / f"debs-{_digest([_base_key(), packages])}"
        )
        root = _unpack_base(layout, "services", log)
        _make_server(root, log)
        _install(root, debs, log)
        _copy_tree(ASSETS / "services", root)
        _chroot(
            root, log, "systemctl", "enable", "nginx.service", "docker-registry.service", "hub.service", "names.service"
        )
        _import(layout, client, root, tag, log)
    return tag


def repository_packages(layout: Layout, downloader: Downloader) -> list[Path]:
    """Return the .deb files that the site's apt repository offers for a bare server."""
    packages = package_list("repository")
    return downloader.fetch(packages, dpkg_status(layout), layout.cache / f"debs-{_digest([_base_key(), packages])}")


def fresh_folder(path: Path) -> Path:
    """Return *path* as an empty folder; what an earlier run that was cut short left there goes away."""
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def _make_server(root: Path, log: Path) -> None:
    """Turn a minimal root into a server that an operator can log in to."""
    _copy_tree(ASSETS / "host", root)
    (root / f"etc/sudoers.d/{USER}").chmod(0o440)
    _chroot(
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
    _chroot(root, log, "systemctl", "enable", "site-route.service")
    _chroot(root, log, "systemctl", "mask", *MASKED_UNITS)
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()
    # Every server gets its own when it is made.
    (root / "etc/machine-id").write_text("", encoding="ascii")
    (root / "etc/hostname").unlink(missing_ok=True)
    if needs_narrow_runtime():
        # Stands before the real one in the PATH of services, so any engine in the server finds it under runc's name.
        install_runtime(root / "usr/local/sbin/runc")


def _install(root: Path, debs: Sequence[Path], log: Path) -> None:
    """Install *debs* in *root*, without starting anything."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    policy.chmod(0o755)
    folder = root / "var/cache/apt/archives"
    for deb in debs:
        shutil.copyfile(deb, folder / deb.name)
    inside = [f"/var/cache/apt/archives/{deb.name}" for deb in debs]
    _chroot(root, log, "dpkg", "--force-unsafe-io", "--unpack", *inside)
    _chroot(root, log, "dpkg", "--force-unsafe-io", "--configure", "--pending")
    for deb in debs:
        (folder / deb.name).unlink()
    policy.unlink()


def _copy_tree(source: Path, root: Path) -> None:
    shutil.copytree(source, root, dirs_exist_ok=True, copy_function=_copy_plain)


def _copy_plain(source: str, target: str) -> str:
    # The mode in the working copy depends on the umask of whoever cloned it.
    shutil.copyfile(source, target)
    Path(target).chmod(0o644)
    return target


def _chroot(root: Path, log: Path, *words: str) -> None:
    run(["chroot", root, *words], log=log)


def _unpack_base(layout: Layout, name: str, log: Path) -> Path:
    root = fresh_folder(layout.cache / f"{name}.partial")
    run(["tar", "-C", root, "--numeric-owner", "-xpf", base_tarball(layout)], log=log)
    return root


def _pack(root: Path, tarball: Path, log: Path) -> None:
    draft = tarball.with_suffix(".partial.tar")
    run(["tar", "-C", root, "--numeric-owner", "--one-file-system", "-cf", draft, "."], log=log)
    draft.replace(tarball)


def _import(layout: Layout, client: docker.DockerClient, root: Path, tag: str, log: Path) -> None:
    tarball = layout.cache / f"{root.name}.tar"
    _pack(root, tarball, log)
    repository, _, version = tag.rpartition(":")
    client.api.import_image_from_file(str(tarball), repository=repository, tag=version, changes=['CMD ["/sbin/init"]'])
    tarball.unlink()
    shutil.rmtree(root)


def _known(client: docker.DockerClient, tag: str) -> bool:
    return bool(client.images.list(name=tag))


def _base_key() -> list[object]:
    return [RECIPE, SUITE, architecture(), package_list("host"), MASKED_UNITS, USER_ID]


def _tree(folder: Path) -> list[tuple[str, str]]:
    """Return name and content of every file below *folder*."""
    return [
        (str(file.relative_to(folder)), file.read_text(encoding="utf-8"))
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
