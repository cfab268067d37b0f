"""A package `linux-headers-<kernel>` for the kernel that this machine, and so every simulated server, runs."""

from __future__ import annotations

import platform
import re
import shutil
from pathlib import Path

from tests.lab.site.command import run
from tests.lab.site.layout import ASSETS

VERSION = "1.0"


def package_name(kernel: str) -> str:
    """Return Debian's name of the headers package of *kernel*; package names are lower case and have no underscore."""
    return f"linux-headers-{re.sub(r'[^a-z0-9.+-]', '-', kernel.lower())}"


def build(target: Path, work: Path, log: Path, architecture: str) -> Path:
    """Build the package for *architecture* into folder *target*; return the file. *work* is a scratch folder."""
    kernel = platform.release()
    name = package_name(kernel)
    if work.exists():
        shutil.rmtree(work)
    folder = f"usr/src/linux-headers-{kernel}"
    for source in sorted((ASSETS / "headers").iterdir()):
        text = source.read_text(encoding="utf-8").replace("@KERNEL@", kernel).replace("@FOLDER@", f"/{folder}")
        place = work / ("DEBIAN" if source.name == "control" else folder) / source.name
        place.parent.mkdir(parents=True, exist_ok=True)
        replaced = text.replace("@NAME@", name).replace("@VERSION@", VERSION).replace("@ARCHITECTURE@", architecture)
        place.write_text(replaced, encoding="utf-8")
    modules = work / "lib/modules" / kernel
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(f"/{folder}")
    target.mkdir(parents=True, exist_ok=True)
    file = target / f"{name}_{VERSION}_{architecture}.deb"
    run(["dpkg-deb", "--build", "--root-owner-group", "-Zxz", "-z1", work, file], log=log)
    shutil.rmtree(work)
    return file
