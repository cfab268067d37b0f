"""Small images as files, and as the archives that `docker save` and the OCI image specification describe."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
LIST_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
NAME = "hub.example/org/engine:v1"


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def tar_of(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


@dataclass
class Image:
    """One image of one layer: what its configuration says, and its blobs by digest."""

    architecture: str = "amd64"
    text: str = "content"
    environment: Sequence[str] = ()
    blobs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layer = tar_of({"file.txt": self.text.encode()})
        self.packed = gzip.compress(self.layer, mtime=0)
        config: dict[str, Any] = {"architecture": self.architecture, "os": "linux"}
        config |= {"rootfs": {"type": "layers", "diff_ids": [digest(self.layer)]}}
        config |= {"config": {"Env": list(self.environment)}, "history": [{"created_by": "COPY"}]}
        self.config = json.dumps(config).encode()
        layers = [{"mediaType": LAYER_TYPE, "size": len(self.packed), "digest": digest(self.packed)}]
        described = {"mediaType": CONFIG_TYPE, "size": len(self.config), "digest": digest(self.config)}
        document = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": described, "layers": layers}
        self.manifest = json.dumps(document).encode()
        self.blobs |= {digest(self.packed): self.packed, digest(self.config): self.config}

    @property
    def id(self) -> str:
        return digest(self.config)

    @property
    def digest(self) -> str:
        return digest(self.manifest)

    def entry(self) -> dict[str, Any]:
        """Return this image as a line of an index."""
        platform = {"architecture": self.architecture, "os": "linux"}
        kind = {"mediaType": MANIFEST_TYPE, "size": len(self.manifest), "digest": self.digest}
        return {**kind, "platform": platform}


def index_of(images: Sequence[Image]) -> bytes:
    """Return the manifest list of one image for several processors."""
    return json.dumps(
        {"schemaVersion": 2, "mediaType": LIST_TYPE, "manifests": [image.entry() for image in images]}
    ).encode()


def layout(images: Sequence[Image], name: str = "") -> bytes:
    """Return an OCI layout as a tar file."""
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    notes = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
    entries = [image.entry() | notes for image in images]
    for image in images:
        files |= {f"blobs/{key.replace(':', '/')}": blob for key, blob in image.blobs.items()}
        files[f"blobs/{image.digest.replace(':', '/')}"] = image.manifest
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    return tar_of(files)


def saved(images: dict[str, Image]) -> bytes:
    """Return what `docker save` of older engines writes for *images* by name: manifest.json stands last."""
    files: dict[str, bytes] = {}
    listed = []
    for name, image in images.items():
        key = image.id.partition(":")[2]
        files |= {f"{key[:12]}/layer.tar": image.layer, f"{key}.json": image.config}
        listed.append({"Config": f"{key}.json", "RepoTags": [name], "Layers": [f"{key[:12]}/layer.tar"]})
    return tar_of({**files, "manifest.json": json.dumps(listed).encode()})


def wanted(image: Image | None = None, **changes: Any) -> dict[str, Any]:
    """Return an image as the role's variable has it."""
    base: dict[str, Any] = {"name": NAME, "digest": image.digest if image else "", "id": "", "sources": []}
    base |= {"architecture": "amd64", "size_bytes": 0, "chip": {}, "archive": {}, "build": {}, "fetch": "each"}
    return base | changes


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
