"""Other shapes of what the store has: an OCI image layout whose blobs are the store's own files, by hard links."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from driver.bundle.contents import Manifest
from driver.bundle.store import Store, broken

OCI: Final = "oci"
_LAYOUT: Final = {"imageLayoutVersion": ".".join("100")}  # of the format, which has had no other


def write(store: Store, manifest: Manifest) -> None:
    """Make the folder `oci` of the bundle the image layout of its images; other tools read it, ours does not."""
    if not manifest.images:
        return
    folder = store.root / OCI
    blobs = folder / "blobs" / "sha256"
    entries = []
    try:
        blobs.mkdir(parents=True, exist_ok=True)
        for image in manifest.images:
            for part in image.parts:
                _link(store.path(part.sha256), blobs / part.sha256)
            size = next(part.size for part in image.parts if image.digest.endswith(part.sha256))
            entries.append(
                {
                    "mediaType": image.media_type,
                    "digest": image.digest,
                    "size": size,
                    "annotations": {"org.opencontainers.image.ref.name": image.name},
                }
            )
        (folder / "oci-layout").write_text(json.dumps(_LAYOUT), encoding="utf-8")
        index = {"schemaVersion": 2, "manifests": entries}
        (folder / "index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
    except OSError as error:
        raise broken(error, folder) from error


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:  # no hard links here
        target.symlink_to(os.path.relpath(source, target.parent))
