"""Layers and configuration of a container image, written straight to files: no engine, no second copy on disk.

Layers are plain tar archives. A registry on the same machine has nothing to gain from compression, and hosts that share
two cores have much to lose from decompression.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

EPOCH = 1_767_225_600  # time of every file of an image: the same input makes the same digest
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"

Keep = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Blob:
    """One file that a registry keeps under its sha256."""

    path: Path
    digest: str
    size: int
    media_type: str

    @property
    def descriptor(self) -> dict[str, object]:
        """Return how a manifest names this blob."""
        return {"mediaType": self.media_type, "size": self.size, "digest": self.digest}


class HashingFile(io.RawIOBase):
    """A file that is hashed while it is written, front to back."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class LayerWriter:
    """Writes one layer: everything owned by root, in a fixed order, at a fixed time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: set[str] = set()  # Docker refuses a layer that names a path twice, be it a folder
        self._file = HashingFile(path)
        self._tar = tarfile.open(  # noqa: SIM115 - __exit__ closes it
            fileobj=self._file, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 20
        )

    def __enter__(self) -> "LayerWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._tar.close()
        self._file.close()

    def blob(self) -> Blob:
        """Return the layer as a blob; only after the `with` block has ended."""
        return Blob(self.path, f"sha256:{self._file.hash.hexdigest()}", self._file.size, LAYER_TYPE)

    def add_folder(self, name: str, mode: int = 0o755) -> None:
        """Add an empty folder."""
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self._add(entry, None)

    def add_tree(self, root: Path, prefix: str, keep: Keep) -> None:
        """Add what is below *root* as *prefix*/…, when *keep* says so of the path relative to *root*."""
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if not keep(name):
                continue
            entry = self._tar.gettarinfo(path, f"{prefix}/{name}".lstrip("/"))
            if entry is not None:  # a socket
                self._add(entry, path.open("rb") if entry.isreg() else None)

    def add_archive(self, source: IO[bytes], keep: Keep) -> None:
        """Add the members of another tar archive, compressed or not, when *keep* says so of their path."""
        with tarfile.open(fileobj=source, mode="r|*") as archive:
            for entry in archive:
                entry.name = entry.name.removeprefix("./").rstrip("/")
                if entry.name not in ("", ".") and keep(entry.name):
                    self._add(entry, archive.extractfile(entry) if entry.isreg() else None)

    def _add(self, entry: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        if entry.name in self._seen:
            return
        self._seen.add(entry.name)
        entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime = _owner(entry)
        entry.pax_headers = {}
        if content is None:
            self._tar.addfile(entry)
            return
        with content:
            self._tar.addfile(entry, content)


def _owner(entry: tarfile.TarInfo) -> tuple[int, int, str, str, int]:
    """Return owner and time as they stand in a layer: numbers as they are below 1000, root for the builder's own."""
    uid = entry.uid if entry.uid < 1000 else 0
    gid = entry.gid if entry.gid < 1000 else 0
    return uid, gid, "", "", EPOCH


def write_config(
    path: Path, settings: dict[str, object], layers: Iterable[Blob], labels: dict[str, str], machine: str
) -> Blob:
    """Write the image's configuration: *settings* as `docker inspect` shows them under Config, plus *labels*."""
    config = {
        "architecture": machine,
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": settings | {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},  # not compressed: the same digest
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": layer.path.name} for layer in layers],
    }
    content = json.dumps(config, separators=(",", ":"), sort_keys=True).encode()
    path.write_bytes(content)
    return Blob(path, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), CONFIG_TYPE)


def manifest(config: Blob, layers: Iterable[Blob]) -> bytes:
    """Return the image manifest (version 2, schema 2) as the bytes whose sha256 is the image's digest."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor,
        "layers": [layer.descriptor for layer in layers],
    }
    return json.dumps(document, indent=2).encode()
