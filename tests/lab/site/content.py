"""What the service host serves: the vendor's files, the apt repository, models, images, names."""

from __future__ import annotations

import hashlib
import platform
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.lab import serving, vendor
from tests.lab.serving import archive, faults, hub, many, obs
from tests.lab.serving.packages import BuildError
from tests.lab.serving.registry import RegistryError
from tests.lab.site import aptrepo, headers, images, lanes, roots, rpmrepo, vm
from tests.lab.site.archive import Downloader
from tests.lab.site.errors import LabError
from tests.lab.site.lanes import System, host_system
from tests.lab.site.layout import ASSETS, MOST_HOSTS, REGISTRY, REPOSITORY, SERVICES_ADDRESS, SUITE, Host, Layout, Node
from tests.lab.site.progress import Progress
from tests.lab.vendor import docker_repository, docker_static, signing

SITE = REPOSITORY / "inventories/lab/site.yml"
_KEY_LOCK = threading.Lock()


def vendor_packages(layout: Layout) -> int:
    """Build the vendor's packages and signed archives into the mirror; return how many there are.

    Raises:
        LabError: the archives cannot be signed.
    """
    built = vendor.build(layout.packages)
    try:
        return len(built) + signing.deliver(layout.packages, signing.ensure(layout.signing))
    except signing.SigningError as error:
        raise LabError(str(error)) from error


def model(layout: Layout) -> Path:
    """Build the model into the folder of the hub, unless it is there; return its folder."""
    layout.hub.mkdir(parents=True, exist_ok=True)
    return serving.build_model(layout.hub)


def wide_model(layout: Layout) -> Path:
    """Build the model of many shards into the folder of the hub, unless it is there; return its folder."""
    layout.hub.mkdir(parents=True, exist_ok=True)
    return many.build(layout.hub, layout.cache / "wide-model.stamp")


def image_archive(layout: Layout) -> str:
    """Write the archive of a large image into the mirror, unless it is there; return its sha256.

    Raises:
        LabError: it is not the one that the lab's site file expects.
    """
    size, sha256 = archive.build(layout.packages / archive.FILE)
    if sha256 not in SITE.read_text(encoding="utf-8"):
        raise LabError(
            f"{SITE}: images: the archive {archive.FILE} has {size} bytes and sha256 {sha256}; write them there"
        )
    return sha256


def engine_image(layout: Layout, progress: Progress) -> str:
    """Build the inference image and push it to the site's registry, unless it is there; return its digest.

    Raises:
        LabError: it cannot be built, or the registry does not take it.
    """
    try:
        return serving.build_engine_image(
            layout.cache / "engine-image", REGISTRY, progress.say, roots.base_tarball(layout)
        )
    except (BuildError, RegistryError) as error:
        raise LabError(str(error)) from error


def repository(layout: Layout, downloader: Downloader, system: System) -> int:
    """Make the package repository of *system*, unless it is the one that would be made.

    Return how many packages it offers.
    """
    log = layout.logs / f"{system.repository}.log"
    debs = images.repository_packages(layout, downloader, system)
    if system.own_kernel:
        debs = list({deb.name: deb for deb in [*debs, *vm.header_packages(layout, downloader)]}.values())
    stamp = layout.apt / f"{'repository' if system == host_system() else system.repository}.stamp"
    digest = hashlib.sha256("\n".join([*_recipe(system), *(deb.name for deb in debs)]).encode()).hexdigest()
    if not (stamp.exists() and stamp.read_text(encoding="ascii") == digest and layout.archive_key.exists()):
        target = layout.apt / "repository" if system == host_system() else layout.packages / system.repository
        secret = _archive_key(layout, log)
        if system.packages == "rpm":
            rpmrepo.build(target, debs, layout.cache / "rpm", secret, log)
        else:
            _apt_repository(layout, target, debs, system, secret, log)
        stamp.write_text(digest, encoding="ascii")
    if system.suite == SUITE and system.packages == "apt":
        docker_static.publish(debs, layout.packages, lanes.MACHINE_NAMES[system.debian_architecture])
    if system == host_system():
        secret = _archive_key(layout, log)
        docker_repository.publish(
            debs,
            layout.packages / "docker/linux/debian",
            system.suite,
            system.debian_architecture,
            layout.archive_key,
            lambda dist: aptrepo.sign(dist, secret, log),
        )
    return len(debs) + 1


def _apt_repository(
    layout: Layout, target: Path, debs: Sequence[Path], system: System, secret: Path, log: Path
) -> None:
    architecture = system.debian_architecture
    folder = layout.cache / f"headers-{system.repository}"
    built = [] if system.own_kernel else [headers.build(folder, folder.with_suffix(".partial"), log, architecture)]
    aptrepo.build(target, [*debs, *built], architecture, secret, log, system.suite)


def _archive_key(layout: Layout, log: Path) -> Path:
    with _KEY_LOCK:
        return aptrepo.ensure_key(layout.apt / "private" / "archive-key.secret", layout.archive_key, log)


def _recipe(system: System) -> list[str]:
    """Return what a repository depends on, beside its packages."""
    files = [*_texts(ASSETS / "rpm"), Path(rpmrepo.__file__).read_text("utf-8")] if system.packages == "rpm" else []
    return [platform.release(), *_texts(ASSETS / "headers"), *files]


def programs(layout: Layout) -> bool:
    """Put the programs and the list of names where the service host finds them; return whether a program changed."""
    layout.programs.mkdir(parents=True, exist_ok=True)
    layout.resolver.write_text(f"nameserver {SERVICES_ADDRESS}\n", encoding="ascii")
    hosts: list[Host] = [*map(Node, range(1, MOST_HOSTS + 1)), *lanes.lanes()]
    names = [f"{SERVICES_ADDRESS} services", *(f"{host.address} {host.name}" for host in hosts)]
    (layout.programs / "hosts").write_text("\n".join(names) + "\n", encoding="ascii")
    changed = False
    for program in (Path(hub.__file__), Path(obs.__file__), Path(faults.__file__)):
        target = layout.programs / program.name
        if not target.exists() or target.read_bytes() != program.read_bytes():
            shutil.copyfile(program, target)
            changed = True
    return changed


def _texts(folder: Path) -> list[str]:
    return [file.read_text(encoding="utf-8") for file in sorted(folder.iterdir())]
