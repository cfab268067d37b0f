"""Read an archive of images (docker save, or a packed OCI layout) without unpacking it.

The engine is given the archive with a manifest.json of ours behind its last file. It takes the last of two equal names,
so it loads the one image that is wanted, under its canonical name, whatever the archive calls it and whichever of the
two forms it has.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import shutil
import subprocess
import tarfile
from typing import IO, Any, Dict, Iterator, List, NamedTuple, Tuple, cast

from .errors import RefusedError
from .image_manifest import Seen, platform_entry, socs_of
from .registry_client import LISTS
from .session import SEARCH_PATH

KEPT_BYTES = 4 << 20  # of one file: manifests and configurations are small
MANIFEST, INDEX = "manifest.json", "index.json"
MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
BLOCK = 512


class Entry(NamedTuple):
    """One image of an archive: what is seen of it, its files there, and the sums of its unpacked layers."""

    seen: Seen
    config: str
    layers: Tuple[str, ...]
    sums: Tuple[str, ...]


class Archive(NamedTuple):
    """What an archive holds; *end* is where its last file ends and *unpacked* how much its files are, in bytes."""

    entries: List[Entry]
    end: int
    unpacked: int
    packed_layers: bool


def kind_of(path: str) -> str:
    """Return how *path* is compressed, "" when it is not."""
    with open(path, "rb") as source:
        start = source.read(8)
    return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), "")


@contextlib.contextmanager
def opened(path: str) -> Iterator[Tuple[IO[bytes], IO[bytes]]]:
    """Yield the archive without its compression, and the file below, whose position is how far the reading is."""
    kind = kind_of(path)
    with open(path, "rb") as source:
        if kind == "zstd":
            with _unpacked_by_program(source) as stream:
                yield stream, source
        elif kind:
            opener: Any = {"gzip": gzip.GzipFile, "bzip2": bz2.BZ2File, "xz": lzma.LZMAFile}[kind]
            with opener(fileobj=source) if kind == "gzip" else opener(source) as stream:
                yield stream, source
        else:
            yield source, source


@contextlib.contextmanager
def _unpacked_by_program(source: IO[bytes]) -> Iterator[IO[bytes]]:
    program = shutil.which("zstd", path=SEARCH_PATH)
    if program is None:
        raise RefusedError(
            f"{source.name} is compressed with zstd, and there is no program zstd here: install it, or name an archive "
            "that is compressed with gzip or not at all (images.archive of site.yml)"
        )
    process = subprocess.Popen([program, "-dcq"], stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield cast("IO[bytes]", process.stdout)
    finally:
        cast("IO[bytes]", process.stdout).close()
        process.terminate()
        process.wait()


def read(path: str, architecture: str) -> Archive:
    """Return what the archive at *path* holds; of an image for several processors the one for *architecture*.

    Raises RefusedError when it is no archive of images.
    """
    try:
        with opened(path) as (stream, source):
            texts, names, end = _listed(stream, stream is source)
        if end > os.path.getsize(path) and not kind_of(path):
            raise RefusedError(f"{path} ends in the middle of a file: it is not whole")
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError) as error:
        raise RefusedError(f"{path} is no archive that can be read: {error or type(error).__name__}") from error
    entries = _by_docker(texts) if MANIFEST in texts else _by_layout(texts, architecture)
    missing = [name for entry in entries for name in (entry.config, *entry.layers) if name not in names]
    if missing or not entries:
        lack = f"{', '.join(missing[:3])} is missing in it" if missing else "it names no image"
        raise RefusedError(f"{path}: {lack}; expected the whole archive of an image (docker save, or an OCI layout)")
    return Archive(entries, end, sum(names.values()), MANIFEST not in texts)


def _listed(stream: IO[bytes], plain: bool) -> Tuple[Dict[str, bytes], Dict[str, int], int]:
    """Return what _members says; a *plain* archive is skipped through, others have to be unpacked once."""
    if plain:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            return _members(archive)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        return _members(archive)


def _members(archive: tarfile.TarFile) -> Tuple[Dict[str, bytes], Dict[str, int], int]:
    """Return the small files, the sizes of all, and where the last one ends."""
    texts: Dict[str, bytes] = {}
    sizes: Dict[str, int] = {}
    end = 0
    for member in archive:
        name = os.path.normpath(member.name)
        sizes[name] = member.size
        blocks = -(-member.size // BLOCK) if member.isreg() else 0
        end = max(end, member.offset_data + blocks * BLOCK)
        if member.isreg() and member.size <= KEPT_BYTES and (name.endswith(".json") or name.startswith("blobs/")):
            texts[name] = cast("IO[bytes]", archive.extractfile(member)).read()
    return texts, sizes, end


def _by_docker(texts: Dict[str, bytes]) -> List[Entry]:
    """Return the images that manifest.json lists; newer engines write an index with their digests beside it."""
    digests = {}
    for descriptor in (_json(texts, INDEX).get("manifests") or []) if INDEX in texts else []:
        manifest = _json(texts, _blob(str(descriptor.get("digest", ""))), {})
        digests[str((manifest.get("config") or {}).get("digest", ""))] = str(descriptor["digest"])
    entries = []
    for listed in _json(texts, MANIFEST):
        name = os.path.normpath(listed["Config"])
        image_id = "sha256:" + os.path.basename(name).replace(".json", "")
        seen = _seen(texts, name, image_id, digests.get(image_id, ""), list(listed.get("RepoTags") or []))
        layers = tuple(os.path.normpath(layer) for layer in listed["Layers"])
        entries.append(Entry(seen, name, layers, _sums(texts, name)))
    return entries


def _by_layout(texts: Dict[str, bytes], architecture: str) -> List[Entry]:
    """Return the images of an OCI layout."""
    entries = []
    for descriptor in _json(texts, INDEX, {}).get("manifests") or []:
        manifest = _json(texts, _blob(str(descriptor["digest"])))
        if str(descriptor.get("mediaType", "")) in LISTS or "manifests" in manifest:
            entry = platform_entry(manifest, architecture)
            manifest = _json(texts, _blob(str(entry["digest"])))
        image_id = str(manifest["config"]["digest"])
        notes = descriptor.get("annotations") or {}
        tags = [notes[key] for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name") if key in notes]
        seen = _seen(texts, _blob(image_id), image_id, str(descriptor["digest"]), tags)
        layers = tuple(_blob(str(layer["digest"])) for layer in manifest["layers"])
        entries.append(Entry(seen, _blob(image_id), layers, _sums(texts, _blob(image_id))))
    return entries


def _seen(texts: Dict[str, bytes], name: str, image_id: str, digest: str, tags: List[str]) -> Seen:
    config = _json(texts, name)
    return Seen(digest, image_id, str(config.get("architecture", "")), socs_of(config), 0, 0, tags)


def _sums(texts: Dict[str, bytes], name: str) -> Tuple[str, ...]:
    return tuple((_json(texts, name).get("rootfs") or {}).get("diff_ids") or [])


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _json(texts: Dict[str, bytes], name: str, default: Any = None) -> Any:
    if name not in texts and default is not None:
        return default
    try:
        return json.loads(texts[name])
    except (KeyError, ValueError) as error:
        raise RefusedError(
            f"the archive has no readable {name}; expected an image (docker save, OCI layout)"
        ) from error


def closing(entry: Entry, name: str) -> bytes:
    """Return what the engine is given behind the last file: a manifest.json that names one image, and the end."""
    manifest = [{"Config": entry.config, "RepoTags": [name], "Layers": list(entry.layers)}]
    text = json.dumps(manifest).encode()
    member = tarfile.TarInfo(MANIFEST)
    member.size, member.mode = len(text), 0o644
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(member, io.BytesIO(text))
    return target.getvalue()
