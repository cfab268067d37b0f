"""Models in a folder of Huawei's object storage, by its own Python client (esdk-obs-python).

The storage tells sizes and, for what was uploaded in one piece, an MD5; checksums come from a manifest beside the
files where there is one.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from driver.models import manifest
from driver.models.parts import File, Listing, Place, SourceError

CLIENT = "esdk-obs-python"
PART_BYTES = 16 << 20
WAIT_SECONDS = 60
_GOOD = 300
_MD5 = re.compile(r"[0-9a-f]{32}")


def _client(place: Place) -> Any:
    from obs import ObsClient

    given = place.endpoint if "://" in place.endpoint else f"https://{place.endpoint}"
    return ObsClient(
        access_key_id=place.secrets.get("access_key", ""),
        secret_access_key=place.secrets.get("secret_key", ""),
        server=given,
        is_secure=urlsplit(given).scheme == "https",
        ssl_verify=True,  # the client's default is no
        timeout=WAIT_SECONDS,
        trust_env=True,
    )


def _said(answer: Any, what: str) -> Any:
    """Return what the storage answered. Raises SourceError when it is a refusal."""
    if answer.status < _GOOD:
        return answer
    text = f"{what}: {answer.status} {answer.errorCode or answer.reason}: {answer.errorMessage or ''}".rstrip(": ")
    kinds = {401: "refused", 403: "refused", 404: "absent"}
    raise SourceError(kinds.get(answer.status, "failed"), text)


def _split(place: Place) -> tuple[str, str]:
    bucket, _, prefix = place.repo.partition("/")
    return bucket, f"{prefix.rstrip('/')}/"


def listing(place: Place) -> Listing:
    """Return the objects below the folder, with the checksums of its manifest."""
    client, (bucket, prefix) = _client(place), _split(place)
    files: dict[str, File] = {}
    marker: str | None = None
    while True:
        body = _said(client.listObjects(bucket, prefix=prefix, marker=marker), f"obs://{place.repo}").body
        for entry in body.contents:
            name = entry.key.removeprefix(prefix)
            if name and not name.endswith("/"):
                etag = str(entry.etag or "").strip('"').lower()
                files[name] = File(name, int(entry.size), md5=etag if _MD5.fullmatch(etag) else "")
        if not body.is_truncated:
            break
        marker = body.next_marker or body.contents[-1].key
    if not files:
        raise SourceError("absent", f"obs://{place.repo} has no objects")
    return Listing("", _with_sums(client, bucket, prefix, files))


def _with_sums(client: Any, bucket: str, prefix: str, files: dict[str, File]) -> tuple[File, ...]:
    for name in manifest.NAMES:
        if name not in files:
            continue
        where = f"obs://{bucket}/{prefix}{name}"
        answer = _said(client.getObject(bucket, prefix + name, loadStreamInMemory=True), where)
        found = []
        for listed in manifest.read(name, answer.body.buffer.decode("utf-8"), where):
            there = files.get(listed.path)
            if there is None or listed.size not in (manifest.UNKNOWN_SIZE, there.size):
                state = f"{there.size} bytes, expected {listed.size}" if there else "missing"
                raise SourceError("spoilt", f"{where}: lists {listed.path}, which is {state}")
            found.append(File(listed.path, there.size, listed.sha256))
        return tuple(found)
    return tuple(files.values())


def prepare(place: Place, files: tuple[File, ...]) -> None:
    """Do nothing: every object is asked for by itself."""


def bring(place: Place, file: File, part: Path) -> None:
    """Have the client bring the object in pieces; its checkpoint beside *part* lets a later run continue."""
    bucket, prefix = _split(place)
    if not file.size:
        part.touch()
        return
    client, key = _client(place), prefix + file.path
    where = f"obs://{bucket}/{key}"
    try:
        answer = client.downloadFile(
            bucket, key, str(part), partSize=PART_BYTES, enableCheckpoint=True, checkpointFile=f"{part}.checkpoint"
        )
    except Exception as error:  # the client says that parts failed, and not why
        if shutil.disk_usage(part.parent).free < PART_BYTES:
            raise SourceError("room", f"{where}: no room left at {part.parent}") from error
        _said(client.getObjectMetadata(bucket, key), where)
        raise
    _said(answer, where)
