"""The Python packages that the tool itself is made of: fetched by pip, exactly the pinned ones, without their own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from driver.bundle.contents import File, Manifest
from driver.bundle.store import Store
from driver.errors import TaskFailed

_SDIST: Final = re.compile(r"(?P<name>.+)-(?P<version>\d[^-]*)\.(tar\.gz|zip)")


def project(file: str) -> tuple[str, str]:
    """Return normalised name and version of a wheel or of a source archive; ("", "") for another file."""
    if file.endswith(".whl"):
        name, version = file.split("-")[:2]
    else:
        found = _SDIST.fullmatch(file)
        if found is None:
            return "", ""
        name, version = found["name"], found["version"]
    return normalised(name), version


def normalised(name: str) -> str:
    """Return *name* as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def missing(manifest: Manifest, store: Store | None, pins: Iterable[str]) -> list[str]:
    """Return those of *pins* (name==version) that the bundle does not have."""
    present = {project(file.name) for file in manifest.files if file.kind == "wheel" and (not store or store.has(file))}
    return [pin for pin in pins if _wanted(pin) not in present]


def _wanted(pin: str) -> tuple[str, str]:
    name, _, version = pin.partition("==")
    return normalised(name), version


def bring(store: Store, pins: list[str]) -> list[File]:
    """Return the files of *pins* after pip has fetched them into *store*; raises TaskFailed."""
    folder = store.root / "partial" / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    words = ["download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest", str(folder), *pins]
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise TaskFailed(
            f"pip download: {done.stderr.strip()[-400:]}; expected the packages of requirements.txt; look whether pip "
            "of this machine reaches its index (pip config list)"
        )
    made = []
    for file in sorted(folder.iterdir()):
        content = store.take(file)
        made.append(File(kind="wheel", name=file.name, sha256=content.sha256, size=content.size, source="pip"))
        Path(file).unlink()
    return made
