"""Models from a web folder with a manifest, and from a folder of the fetching host: a local disk or a mounted share."""

from __future__ import annotations

import os
import stat
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any, Callable, Dict, List, Sequence
from urllib.parse import quote

from . import download as single
from .errors import RefusedError
from .hub_files import HubFile
from .model_access import Access, Way
from .model_files import MANIFEST, PARTS, bytes_below, inside, unchanged_since_manifest
from .model_stage import Stage
from .progress import Progress

WEB_MANIFEST = "manifest.json"
AT_A_TIME = 4
POLL_SECONDS = 1.0


def web_listing(model: Dict[str, Any], access: Access) -> List[HubFile]:
    """Return the files of the manifest in the web folder *repo*. Raises RefusedError."""
    url = f"{model['repo'].rstrip('/')}/{WEB_MANIFEST}"
    answer = access.get_json(url)
    entries = answer.get("files") if isinstance(answer, dict) else None
    try:
        # as find and other tools write them: ./name, and sums in capitals
        found = [
            {
                "path": os.path.normpath(str(entry["path"])), "size": int(entry["size"]),
                "sha256": str(entry["sha256"]).lower(), "git_sha1": "",
            }
            for entry in entries or []
        ]  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"{url}: an entry without path, size or sha256 ({error!r}). {_WANTED}") from error
    if not found or any(len(str(entry["sha256"])) != 64 for entry in found):
        raise RefusedError(f"{url}: {'a file without a sha256' if found else 'no files'}. {_WANTED}")
    return found


_WANTED = (
    'Expected {"files": [{"path", "size", "sha256"}, ...]} for the folder that site.yml names '
    "(models[].from, or sources.http of the catalog); write it beside the files."
)


def web_download(model: Dict[str, Any], names: Sequence[str], stage: Stage, way: Way) -> None:
    """Bring the files *names* of the web folder, several at a time, each going on where it was. Raises RefusedError."""
    entries = [entry for name, entry in stage.waiting.items() if not names or name in names]
    base = model["repo"].rstrip("/")

    def one(entry: HubFile) -> None:
        dest = _dest(stage, entry)
        single.fill(f"{base}/{quote(entry['path'])}", dest + ".part", way.access.open, _Quiet(way.progress))
        os.replace(dest + ".part", dest)  # its sum is compared before it gets its final name

    _side_by_side(one, entries, stage, way.progress)


def folder_listing(model: Dict[str, Any]) -> List[HubFile]:
    """Return the files below the folder *repo* of this host; sums only of those that its manifest vouches for.

    Raises RefusedError when it is not there: a share that is not mounted must not look like an empty model.
    """
    folder = model["repo"]
    known = unchanged_since_manifest(folder)
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in {".git", PARTS})
        for name in sorted(names):
            path = os.path.join(place, name)
            relative = os.path.relpath(path, folder)
            if name.startswith(".provision-") or not stat.S_ISREG(os.stat(path).st_mode):
                continue
            size, sha256 = os.path.getsize(path), known.get(relative, "")
            found.append({"path": relative, "size": size, "sha256": sha256, "git_sha1": ""})
    if not found:
        what = "is empty" if os.path.isdir(folder) else "does not exist"
        raise RefusedError(
            f"{folder} on {os.uname().nodename} {what}, expected the files of the model (site.yml: models[].from). "
            f"Mount it or copy the model there, or name the host that has it (models[].fetch). "
            f"Checksums are taken from {MANIFEST} where it is there."
        )
    return found


def folder_copy(model: Dict[str, Any], names: Sequence[str], stage: Stage, way: Way) -> None:
    """Copy the files *names* of the folder *repo*. Raises RefusedError."""
    entries = [entry for name, entry in stage.waiting.items() if not names or name in names]

    def one(entry: HubFile) -> None:
        dest = _dest(stage, entry)
        part = dest + ".part"
        with open(os.path.join(model["repo"], entry["path"]), "rb") as source, open(part, "wb") as target:
            for chunk in iter(lambda: source.read(single.CHUNK), b""):
                target.write(chunk)
        os.replace(part, dest)

    try:
        _side_by_side(one, entries, stage, way.progress)
    except OSError as error:
        raise RefusedError(
            f"copy from {model['repo']} (site.yml: models[].from) to {stage.path}: {error}. What has arrived is kept; "
            "look at the share and at the disk, then run again."
        ) from error


def _dest(stage: Stage, entry: HubFile) -> str:
    dest = inside(stage.path, entry["path"])
    if not dest:
        raise RefusedError(f"the source names a file {entry['path']!r}, which would lie outside of {stage.folder}")
    os.makedirs(os.path.dirname(dest), mode=0o755, exist_ok=True)
    return dest


def _side_by_side(act: Callable[[HubFile], None], entries: List[HubFile], stage: Stage, progress: Progress) -> None:
    """Run *act* for all *entries*, a few at a time; what is whole is taken at once. Raises what failed first."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        running = {pool.submit(act, entry) for entry in entries}
        try:
            while running:
                ended, running = wait(running, POLL_SECONDS, FIRST_COMPLETED)
                for each in ended:
                    each.result()
                progress.update(bytes_below(stage.path), f"download to {stage.folder}")
                stage.take()
        except BaseException:
            for waiting in running:
                waiting.cancel()
            raise


class _Quiet(Progress):
    """Keeps the report of one file out of the report of all of them."""

    def __init__(self, progress: Progress) -> None:
        super().__init__("quiet", progress.what)

    def update(self, done_bytes: int, what: str = "", force: bool = False) -> None:
        """Say nothing."""
