"""Give an archive to the engine: judged before, its id compared after, under the canonical name."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, NamedTuple

from .docker_api import DockerApi
from .errors import RefusedError
from .image_archive import Archive, Entry, closing, opened, read
from .image_engine import describe, require_room, tag
from .image_manifest import judge, only
from .image_record import remember
from .progress import Progress

CHUNK = 1 << 20
TAR = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
# The engine puts the whole archive below its data root and makes the layers from there. Those of `docker save` are not
# compressed; those of an OCI layout take about twice their size when they are unpacked.
ROOM_OF_A_LOAD = 2
ROOM_OF_PACKED_LAYERS = 3


def load(api: DockerApi, image: Dict[str, Any], path: str, progress: Progress) -> int:
    """Load *image* from the archive at *path*; return the bytes read. Raises RefusedError."""
    progress.total_bytes = os.path.getsize(path)
    progress.update(0, f"look into {path}", force=True)
    archive = read(path, image["architecture"])
    entry = _chosen(archive, image, path)
    factor = ROOM_OF_PACKED_LAYERS if archive.packed_layers else ROOM_OF_A_LOAD
    require_room(api, image["name"], archive.unpacked * factor)
    progress.update(0, f"load {image['name']}", force=True)
    _hand_over(api, Load(image["name"], path, archive.end, closing(entry, image["name"])), progress)
    _compare(api, image, entry)
    return progress.total_bytes


def _chosen(archive: Archive, image: Dict[str, Any], path: str) -> Entry:
    seen = only([entry.seen for entry in archive.entries], image, path)
    try:
        # the archive's sha256 is what the site names; the id changes when an image is packed into the other form
        judge(seen, {**image, "id": ""})
    except RefusedError as error:
        raise RefusedError(f"{image['name']} from {path}: {error}; nothing was loaded") from error
    return next(entry for entry in archive.entries if entry.seen is seen)


class Load(NamedTuple):
    """What the engine is given: the archive at *path* up to *end*, and what comes behind."""

    name: str
    path: str
    end: int
    closing: bytes


def _hand_over(api: DockerApi, what: Load, progress: Progress) -> None:
    def body() -> Iterator[bytes]:
        with opened(what.path) as (stream, source):
            left = what.end
            while left > 0:
                piece = stream.read(min(CHUNK, left))
                if not piece:
                    raise RefusedError(f"{what.path} ended while it was read")
                left -= len(piece)
                progress.update(source.tell())
                yield piece
        yield what.closing
        progress.update(progress.total_bytes, f"unpack {what.name}", force=True)

    for event in api.send("/images/load", {"quiet": "0"}, body(), TAR):
        if "error" in event:
            raise RefusedError(f"{what.name}: the engine refuses {what.path}: {event['error']}")


def _compare(api: DockerApi, image: Dict[str, Any], entry: Entry) -> None:
    """Find what was loaded, compare it with the archive, give it its name and note where it comes from.

    An engine that keeps images as they came makes a manifest of its own and calls the image by that; the sums of the
    layers are the same with every engine.
    """
    ids = [mark for mark in (entry.seen.image_id, entry.seen.digest) if mark]
    there = [found for found in (describe(api, mark) for mark in [image["name"], *ids]) if found]
    found = next((one for one in there if one["id"] in ids or tuple(one["layers"]) == entry.sums), {})
    if not found:
        seen = there[0]["id"] if there else "nothing"
        raise RefusedError(f"{image['name']}: it is {seen} after loading, expected {' or '.join(ids)} of the archive")
    tag(api, found["id"], image["name"])
    marks = [mark for mark in dict.fromkeys([*ids, *found["digests"]]) if mark != found["id"]]
    remember(found["id"], image["name"], (image.get("archive") or {}).get("sha256", ""), marks)
