"""What makes a root a server of its system: files that differ, programs that must not be there."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab.site import emulation
from tests.lab.site.lanes import System
from tests.lab.site.layout import ASSETS
from tests.lab.site.roots import chroot, copy_tree, tree

RECIPE = 1
"""Raise it when `adapt` does something else with a system that is not the plain one."""
DEBIAN_PROGRAMS = ("apt", "apt-cache", "apt-cdrom", "apt-config", "apt-get", "apt-key", "apt-mark", "dpkg*", "deb-*")
"""Package manager of a root that becomes a server of RPM packages."""
DEBIAN_PLACES = (
    "etc/apt",
    "etc/dpkg",
    "etc/debian_version",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/cache/apt",
    "usr/lib/apt",
)


def adapt(root: Path, system: System, log: Path) -> None:
    """Make *root* a server of *system*."""
    _let_sshd_read_our_settings(root)
    if not (root / "usr/bin/python3").exists():
        (root / "usr/bin/python3").symlink_to(f"python{system.python}")
    if not (root / "usr/sbin/ip").exists():
        # site-route.service looks for it where a merged /usr has it
        (root / "usr/sbin/ip").symlink_to("/sbin/ip")
    if (ASSETS / system.name).is_dir():
        copy_tree(ASSETS / system.name, root)
    if system.foreign:
        emulation.put_native_programs(root)
    if system.packages == "rpm":
        _forget_debian(root)
        chroot(root, log, "rpm", "--initdb")


def key(system: System) -> list[object]:
    """Return what decides what `adapt` does; empty when it is nothing special."""
    files = tree(ASSETS / system.name) if (ASSETS / system.name).is_dir() else []
    native = [emulation.NATIVE_PROGRAMS] if system.foreign else []
    if files:
        return [files, RECIPE, DEBIAN_PROGRAMS, DEBIAN_PLACES, *native]
    return [RECIPE] * (system.distribution == "ubuntu")


def _let_sshd_read_our_settings(root: Path) -> None:
    """Write our settings in front of sshd's own where it does not read the folder that they lie in."""
    settings = root / "etc/ssh/sshd_config"
    text = settings.read_text(encoding="utf-8")
    if "sshd_config.d" not in text:
        ours = (root / "etc/ssh/sshd_config.d/site.conf").read_text(encoding="utf-8")
        settings.write_text(f"{ours}\n{text}", encoding="utf-8")


def _forget_debian(root: Path) -> None:
    """Take apt and dpkg away, and everything that they know: what is here now was never a package."""
    for pattern in DEBIAN_PROGRAMS:
        for folder in ("usr/bin", "usr/sbin"):
            for program in (root / folder).glob(pattern):
                program.unlink()
    for name in DEBIAN_PLACES:
        place = root / name
        if place.is_dir():
            shutil.rmtree(place)
        elif place.exists():
            place.unlink()
