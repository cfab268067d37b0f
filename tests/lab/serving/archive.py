"""An archive of a large image, as `docker save` writes it, made without an engine: what hosts pass on to each other.

Its layers hold numbers that cannot be compressed; every byte follows from the recipe, so that a site file can state
the sum. It is written once, front to back, and kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.serving.image import EPOCH, HashingFile

FILE = "lab-large-v1.tar"
NAME = "quay.io/provision-lab/large:v1"
PIECE = 1 << 20
SEED = 20_261_121
ENDING = b"\0" * (2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How much is in the archive: *layers* of *files* of *pieces* MiB each."""

    layers: int = 6
    files: int = 10
    pieces: int = 50

    @property
    def file_bytes(self) -> int:
        return self.pieces * PIECE

    @property
    def layer_bytes(self) -> int:
        return self.files * (tarfile.BLOCKSIZE + self.file_bytes) + len(ENDING)


def build(target: Path, recipe: Recipe | None = None) -> tuple[int, str]:
    """Write the archive to *target* unless it is there, with its sum beside it; return size and sha256."""
    recipe = recipe or Recipe()
    note = target.with_name(f"{target.name}.json")
    if target.is_file() and note.is_file():
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["recipe"] == repr(recipe) and known["size"] == target.stat().st_size:
            return int(known["size"]), str(known["sha256"])
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.new")
    out = HashingFile(draft)
    with out:
        _write(out, recipe)
    size, sha256 = out.size, out.hash.hexdigest()
    draft.replace(target)
    note.write_text(json.dumps({"recipe": repr(recipe), "size": size, "sha256": sha256}), encoding="utf-8")
    return size, sha256


def _write(out: HashingFile, recipe: Recipe) -> None:
    """Write layers, configuration and list, in this order: the later ones name the sums of the earlier ones."""
    names, sums = [], []
    for number in range(1, recipe.layers + 1):
        names.append(f"layer-{number}.tar")
        out.write(_header(names[-1], recipe.layer_bytes))
        layer = hashlib.sha256()
        for piece in _layer(number, recipe):
            layer.update(piece)
            out.write(piece)
        out.write(_padding(recipe.layer_bytes))
        sums.append(f"sha256:{layer.hexdigest()}")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {"Cmd": ["/data"], "Labels": {}},
        "rootfs": {"type": "layers", "diff_ids": sums},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": name} for name in names],
    }
    text = json.dumps(config, separators=(",", ":"), sort_keys=True).encode()
    config_name = f"{hashlib.sha256(text).hexdigest()}.json"
    listed = json.dumps([{"Config": config_name, "RepoTags": [NAME], "Layers": names}]).encode()
    for name, content in ((config_name, text), ("manifest.json", listed)):
        out.write(_header(name, len(content)) + content + _padding(len(content)))
    out.write(ENDING)


def _layer(number: int, recipe: Recipe) -> Iterator[bytes]:
    """Yield one layer in pieces."""
    for file in range(1, recipe.files + 1):
        yield _header(f"data/layer-{number}/{file:02d}.bin", recipe.file_bytes)
        drawn = random.Random(SEED + 100 * number + file)
        for _ in range(recipe.pieces):
            yield drawn.randbytes(PIECE)
    yield ENDING


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o644, EPOCH
    return entry.tobuf(tarfile.USTAR_FORMAT)


def _padding(size: int) -> bytes:
    return b"\0" * (-size % tarfile.BLOCKSIZE)


def listed(archive: Path) -> dict[str, object]:
    """Return what the archive's own list says: for those who look whether it is one."""
    with tarfile.open(archive) as opened:
        content = opened.extractfile("manifest.json") or io.BytesIO()
        document: list[dict[str, object]] = json.loads(content.read())
    return document[0]
