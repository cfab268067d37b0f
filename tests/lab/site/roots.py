"""Roots: minimal file systems of every system, made once and kept in the cache, and working inside them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import yaml

from tests.lab.site import emulation, ubuntu
from tests.lab.site.archive import Downloader, Source, debian_sources, debootstrap_arguments
from tests.lab.site.command import run
from tests.lab.site.lanes import System, host_system
from tests.lab.site.layout import ASSETS, Layout


def package_list(which: str, system: System | None = None) -> list[str]:
    """Return list *which* of packages.yml; that of *system* is by package manager, architecture or suite."""
    lists = yaml.safe_load((ASSETS / "packages.yml").read_text(encoding="utf-8"))
    kinds = [system.packages, system.architecture, system.suite] if system else []
    special = [f"{which}-{kind}" for kind in kinds]
    return list(next((lists[name] for name in special if name in lists), lists[which]))


def sources(layout: Layout, distribution: str, suite: str) -> list[Source]:
    """Return where the packages of *suite* come from, the suite itself first."""
    return ubuntu.sources(layout, suite) if distribution == "ubuntu" else debian_sources(suite=suite)


def downloader(layout: Layout, system: System) -> Downloader:
    """Return what fetches packages of *system*; systems of one suite share it, as they share the lists on disk."""
    return _downloader(layout, system.distribution, system.suite, system.architecture if system.foreign else "")


@cache
def _downloader(layout: Layout, distribution: str, suite: str, foreign: str) -> Downloader:
    name = f"apt-{suite}-{foreign}" if foreign else f"apt-{suite}"
    log = layout.logs / f"downloads-{name}.log"
    return Downloader(layout.cache / name, log, sources(layout, distribution, suite), foreign)


def base_tarball(layout: Layout, system: System | None = None) -> Path:
    """Return a tarball of a minimal root of *system* with the packages of a bare server; make it when it is missing."""
    system = system or host_system()
    # A server of RPM packages starts as one of Debian packages, and the root is the same.
    packages = package_list("host", None if system.packages == "rpm" else system)
    name = f"base-{system.suite}-{system.debian_architecture}"
    tarball = layout.cache / f"base-{digest([system.suite, system.debian_architecture, packages])}.tar"
    if tarball.exists():
        return tarball
    with held(layout, tarball.name):
        if not tarball.exists():
            _bootstrap(layout, system, packages, layout.cache / f"{name}.partial", tarball)
    return tarball


def dpkg_status(layout: Layout, system: System | None = None) -> Path:
    """Return the dpkg status file of a bare server's root: what is installed there."""
    tarball = base_tarball(layout, system)
    folder = tarball.with_suffix(".status")
    # The image and the repository of one system ask for it at the same time.
    with held(layout, folder.name):
        if not (folder / "var/lib/dpkg/status").exists():
            folder.mkdir(exist_ok=True)
            run(["tar", "-C", folder, "-xf", tarball, "./var/lib/dpkg/status"], log=layout.logs / "images.log")
    return folder / "var/lib/dpkg/status"


def unpack_base(layout: Layout, system: System, name: str, log: Path) -> Path:
    """Return a folder of the cache called after *name* that holds the root of *system*."""
    root = fresh_folder(layout.cache / f"{name}.partial")
    run(["tar", "-C", root, "--numeric-owner", "-xpf", base_tarball(layout, system)], log=log)
    return root


def fresh_folder(path: Path) -> Path:
    """Return *path* as an empty folder; what an earlier run that was cut short left there goes away."""
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def pack(root: Path, tarball: Path, log: Path) -> None:
    """Write *root* into *tarball*, which is there either whole or not at all."""
    draft = tarball.with_suffix(".partial.tar")
    run(["tar", "-C", root, "--numeric-owner", "--one-file-system", "-cf", draft, "."], log=log)
    draft.replace(tarball)


def chroot(root: Path, log: Path, *words: str) -> None:
    """Run *words* inside *root*."""
    run(["chroot", root, *words], log=log)


def install(root: Path, debs: Sequence[Path], log: Path) -> None:
    """Install *debs* in *root*, without starting anything."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    policy.chmod(0o755)
    folder = root / "var/cache/apt/archives"
    for deb in debs:
        shutil.copyfile(deb, folder / deb.name)
    inside = [f"/var/cache/apt/archives/{deb.name}" for deb in debs]
    chroot(root, log, "dpkg", "--force-unsafe-io", "--unpack", *inside)
    chroot(root, log, "dpkg", "--force-unsafe-io", "--configure", "--pending")
    for deb in debs:
        (folder / deb.name).unlink()
    policy.unlink()


def copy_tree(source: Path, root: Path) -> None:
    """Copy the files of *source* over *root*."""
    shutil.copytree(source, root, dirs_exist_ok=True, copy_function=_copy_plain)


def tree(folder: Path) -> list[tuple[str, str]]:
    """Return name and content of every file below *folder*."""
    return [
        (str(file.relative_to(folder)), file.read_text(encoding="utf-8"))
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]


def digest(value: object) -> str:
    """Return a short name for *value*, another one for another value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


@contextmanager
def held(layout: Layout, name: str) -> Iterator[None]:
    """Be the only one, of all processes, that makes *name*."""
    layout.cache.mkdir(parents=True, exist_ok=True)
    with (layout.cache / f"{name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _bootstrap(layout: Layout, system: System, packages: Sequence[str], folder: Path, tarball: Path) -> None:
    """Make the root in *folder* and pack it into *tarball*."""
    log = layout.logs / f"debootstrap-{system.suite}-{system.debian_architecture}.log"
    if system.foreign:
        emulation.ensure(system.architecture, log)
    root = fresh_folder(folder)
    # Namespaces of its own: what debootstrap has started and mounted goes away with it, even when it is killed.
    inside = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc"]
    foreign = system.architecture if system.foreign else ""
    source = sources(layout, system.distribution, system.suite)[0]
    run([*inside, *debootstrap_arguments(packages, root, source, foreign)], log=log)
    for leftover in (*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*_*")):
        leftover.unlink()
    pack(root, tarball, log)
    shutil.rmtree(root)


def _copy_plain(source: str, target: str) -> str:
    # The mode in the working copy depends on the umask of whoever cloned it.
    shutil.copyfile(source, target)
    Path(target).chmod(0o644)
    return target
