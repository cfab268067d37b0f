"""Docker's archive of binaries (`docker-<version>-<machine>.tgz`), packed from a distribution's packages.

Upstream's binaries need no library; these need those that every server of their distribution has.
"""

import gzip
import hashlib
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.vendor.packer import MTIME

BINARIES = {
    "docker": "usr/bin/docker",
    "dockerd": "usr/sbin/dockerd",
    "docker-init": "usr/bin/tini-static",
    "docker-proxy": "usr/sbin/docker-proxy",
    "containerd": "usr/bin/containerd",
    "containerd-shim-runc-v2": "usr/bin/containerd-shim-runc-v2",
    "ctr": "usr/bin/ctr",
    "runc": "usr/sbin/runc",
}
"""Name in upstream's archive -> path in Debian's packages."""
PACKAGES = ("docker.io", "containerd", "runc", "tini")
OWNER = 1000
"""Upstream's files belong to whoever built them."""


def pack(binaries: Mapping[str, Path], target: Path) -> Path:
    """Write *binaries* (name to file) as upstream packs them, all in a folder `docker`; return *target*."""
    draft = target.with_name(f".{target.name}.partial")
    with (
        draft.open("wb") as out,
        gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=1, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in ("", *sorted(binaries)):
            entry = tarfile.TarInfo(f"docker/{name}".rstrip("/"))
            entry.mode, entry.mtime, entry.uid, entry.gid = 0o755, MTIME, OWNER, OWNER
            if name:
                entry.size = binaries[name].stat().st_size
                with binaries[name].open("rb") as content:
                    tar.addfile(entry, content)
            else:
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
    draft.replace(target)
    return target


def publish(debs: Sequence[Path], folder: Path, machine: str) -> Path | None:
    """Pack the engine that is among *debs* into *folder*, unless it is there; beside it its sum, as a sum file.

    Return None when there is no engine among them.
    """
    wanted = {name: deb for deb in debs for name in PACKAGES if deb.name.startswith(f"{name}_")}
    if set(wanted) != set(PACKAGES):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    version = re.match(r"[^_]+_([0-9.]+)", wanted["docker.io"].name)
    target = folder / f"docker-{version[1] if version else '0'}-{machine}.tgz"
    note = target.with_name(target.name + ".sha256")
    # The packages' own versions differ where upstream's is the same: the note ends with them.
    sources = " ".join(sorted(deb.name for deb in wanted.values()))
    if not (target.is_file() and note.is_file() and sources in note.read_text(encoding="utf-8")):
        with tempfile.TemporaryDirectory() as root:
            for deb in wanted.values():
                subprocess.run(["dpkg-deb", "--extract", deb, root], check=True)
            pack({name: Path(root) / path for name, path in BINARIES.items()}, target)
        with target.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        note.write_text(f"{digest}  {target.name}\n# {sources}\n", encoding="utf-8")
    return target
