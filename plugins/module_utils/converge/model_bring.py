"""Make one model whole: from its source, or from what other hosts have sent; the manifest is written last."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, ContextManager, Dict, List

from . import model_files, model_source
from .errors import RefusedError
from .folder_lock import held
from .hub_files import HubFile
from .model_access import Access, Way
from .model_settle import check_rooms, lacking_bytes, remove_strangers, settle
from .model_stage import Stage
from .progress import Progress

ROUNDS = 2
SHARED_SECONDS = 60.0
LOCK = ".provision-lock"


def files_of(model: Dict[str, Any], access: Access) -> List[HubFile]:
    """Return the files of site.lock, else of the source; with sums of the last manifest where nobody has them."""
    files = [{"git_sha1": "", **entry} for entry in model.get("files") or []] or model_source.listing(model, access)
    files = model_files.of_a_model(model["path"], files)
    recorded: List[HubFile] = model_files.with_recorded_sums(model["path"], model, files)
    return recorded


def step_of(model: Dict[str, Any], what: str) -> Progress:
    """Return the progress of *what* is done for *model*, as the driver shows it."""
    return Progress(f"model-{model['name']}", f"{what} {model['repo']}", model["size_bytes"])


def alone(model: Dict[str, Any], seconds: float, progress: Progress) -> ContextManager[None]:
    """Hold the folder of *model* meanwhile: on storage that hosts share another one may fill it."""

    def waiting(holder: str) -> None:
        progress.update(0, f"wait for {holder}, which fills the same folder")

    held_alone: ContextManager[None] = held(os.path.join(model["path"], LOCK), seconds, waiting)
    return held_alone


def fetch(
    model: Dict[str, Any], files: List[HubFile], bad: List[str], access: Access, seconds: float
) -> Dict[str, Any]:
    """Make *model* whole from its source; return what was done, {} when another host did it. Raises RefusedError."""
    folder = model["path"]
    os.makedirs(folder, mode=0o755, exist_ok=True)
    with step_of(model, "look at") as progress, alone(model, seconds, progress):
        if not bad and model_files.is_complete(folder, model, files):
            return {}
        return _fill(model, files, bad, Way(access, progress, seconds))


def _fill(model: Dict[str, Any], files: List[HubFile], bad: List[str], how: Way) -> Dict[str, Any]:
    folder, before = model["path"], model_files.read_manifest(model["path"])
    found = settle(folder, files, bad, how.progress)
    good, missing = found.good, found.missing
    moved, removed = 0, found.removed
    if missing:
        check_rooms({folder: lacking_bytes(folder, missing)})
        stage = Stage(folder, missing)
        faults = _rounds(model, stage, len(missing) == len(files), how)
        good, moved = good + stage.good, sum(entry["size"] for entry in stage.good)
        if faults:
            raise RefusedError(_unlike(model, faults))
    removed += finish(model, files, good, before)
    return {
        "name": model["name"], "bytes": moved, "removed": removed, "files": len(good), "reused": found.reused,
    }  # fmt: skip


def _rounds(model: Dict[str, Any], stage: Stage, everything: bool, how: Way) -> List[Dict[str, str]]:
    """Ask the source until all is right, at most ROUNDS times; return what is not."""
    faults: List[Dict[str, str]] = []
    for _ in range(ROUNDS):
        how.progress.total_bytes = sum(max(0, entry["size"]) for entry in stage.waiting.values())
        names = [] if everything else list(stage.waiting)
        stage.forget_faults()
        model_source.download(model, names, stage, how)
        stage.take(final=True)
        faults, everything = stage.missing(), False
        if not faults:
            break
    return faults


def _unlike(model: Dict[str, Any], faults: List[Dict[str, str]]) -> str:
    reasons = "; ".join(f"{fault['file']}: {fault['reason']}" for fault in faults)
    pinned = "the checksums of site.lock" if model.get("files") else "its own checksums"
    return (
        f"{model['repo']}: after {ROUNDS} downloads {model['source']} did not bring what {pinned} say: {reasons}. "
        "What was wrong is deleted, what was right is kept. Look at the mirror; if the source has really changed, "
        "renew the lock (provision lock --update). Then run again."
    )


def finish(
    model: Dict[str, Any], files: List[HubFile], good: List[Dict[str, Any]], before: Dict[str, Any]
) -> List[str]:
    """Write the manifest of a whole model and delete what is no part of it; return what was deleted."""
    folder = model["path"]
    Stage(folder, []).close()
    model_files.remove_leftovers(folder, {entry["path"] for entry in good})
    order = {entry["path"]: number for number, entry in enumerate(files)}
    listed = sorted(good, key=lambda entry: order.get(entry["path"], len(order)))
    model_files.write_manifest(folder, model, listed)
    return remove_strangers(folder, files, before)


def await_writer(model: Dict[str, Any], look: Callable[[], bool], writer: str) -> None:
    """See what *writer* brought on storage that the site calls shared. Raises RefusedError when it is not there."""
    limit = time.monotonic() + SHARED_SECONDS
    while not look() and time.monotonic() < limit:
        time.sleep(1.0)  # a client of a share may remember for a while what was not there
    if not look():
        raise RefusedError(
            f"{model['path']} on {os.uname().nodename} does not show {model['repo']} as {writer or 'its writer'} "
            f"left it within {SHARED_SECONDS:.0f} s. site.yml calls the path shared (models[].shared): mount the same "
            "storage on both, or remove shared from the model."
        )
