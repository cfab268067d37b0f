#!/usr/bin/python
"""Bring the files of models to the host with the hub's own client, and compare every file with the hub's checksums.

Arguments: models, a list of {name, path, source, repo, revision, endpoint, image, size_bytes} as the role's variable
has it; bad, {path of a model: [names of files that are known to be spoilt]}; timeout_seconds for each model,
for waiting until another host has left the folder and again for the download.
Returns: changed, fetched: [{name, bytes, removed, files}].
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import model_files
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.folder_lock import held
from ansible.module_utils.converge.hub_files import listing
from ansible.module_utils.converge.model_client import download
from ansible.module_utils.converge.progress import Progress
from ansible.module_utils.converge.vendor import free_bytes
from ansible.module_utils.state import models
from ansible.module_utils.urls import open_url

ANSWER_SECONDS = 60
ROUNDS = 2
LOCK = ".provision-lock"
SPARE = 1.02


def get_json(url: str) -> Any:
    """Return the JSON answer of the hub to *url*. Raises RefusedError."""
    try:
        return json.loads(open_url(url, timeout=ANSWER_SECONDS, http_agent="provision").read())
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"{url}: {error}. The hub's list of files is what a download is compared with; look whether this host "
            "reaches the hub (mirrors.hub of the site, else the upstream address) and whether it knows the revision."
        ) from error


def fetch(model: Dict[str, Any], bad: List[str], timeout_seconds: float) -> Dict[str, Any]:
    """Make *model* whole; return what was done, {} when another host did it. Raises RefusedError.

    *bad* was seen before the lock was taken: those files are looked at again, none is deleted unread.
    """
    folder = model["path"]
    os.makedirs(folder, mode=0o755, exist_ok=True)

    def waiting(holder: str) -> None:
        progress.update(0, f"wait for {holder}, which fills the same folder")

    step = Progress(f"model-{model['name']}", f"look at {model['repo']}", model["size_bytes"])
    with step as progress, held(os.path.join(folder, LOCK), timeout_seconds, waiting):
        if not bad and model_files.is_complete(folder, model):
            return {}
        return _fill(model, bad, timeout_seconds, progress)


def _fill(model: Dict[str, Any], bad: List[str], timeout_seconds: float, progress: Progress) -> Dict[str, Any]:
    folder = model["path"]
    files = model_files.with_recorded_sums(folder, model, listing(model, get_json))
    good, faults = model_files.compare(folder, files, progress, bad)
    removed: List[str] = model_files.remove(folder, [fault["file"] for fault in faults])
    before: int = model_files.bytes_below(folder)
    for _ in range(ROUNDS if faults else 0):
        _check_room(model, files, before)
        progress.total_bytes = sum(entry["size"] for entry in files)
        download(model, progress, timeout_seconds)
        good, faults = model_files.compare(folder, files, progress)
        if not faults:
            break
        removed += model_files.remove(folder, [fault["file"] for fault in faults])
    if faults:
        reasons = "; ".join(f"{fault['file']}: {fault['reason']}" for fault in faults)
        raise RefusedError(
            f"{model['repo']}: after {ROUNDS} downloads the hub's checksums do not fit: {reasons}. "
            f"Deleted: {', '.join(dict.fromkeys(removed)) or 'nothing'}. Look at the mirror, then run again."
        )
    model_files.remove_leftovers(folder)
    model_files.write_manifest(folder, model, good)
    moved = max(0, model_files.bytes_below(folder) - before)
    removed += _remove_strangers(folder, files)
    return {"name": model["name"], "bytes": moved, "removed": removed, "files": len(good)}


def _check_room(model: Dict[str, Any], files: List[Dict[str, Any]], present: int) -> None:
    rest = int((sum(entry["size"] for entry in files) - present) * SPARE)
    room: int = free_bytes(model["path"])
    if rest > room:
        raise RefusedError(
            f"{model['path']} has {room} bytes free, expected {rest} for the rest of {model['repo']}: "
            "make room, or choose another path in site.yml (models.path)"
        )


def _remove_strangers(folder: str, files: List[Dict[str, Any]]) -> List[str]:
    """Delete what the hub does not list and is broken even now: an engine would stumble on it."""
    ours = {entry["path"] for entry in files}
    names = [entry["file"] for entry in models.observe(folder)["bad"] if entry["file"] not in ours]
    gone: List[str] = model_files.remove(folder, names)
    return gone


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "models": {"type": "list", "elements": "dict", "required": True},
            "bad": {"type": "dict", "default": {}},
            "timeout_seconds": {"type": "int", "default": 86400},
        },
        supports_check_mode=True,
    )
    fetched: List[Dict[str, Any]] = []
    for model in module.params["models"]:
        bad = module.params["bad"].get(model["path"]) or []
        if not bad and model_files.is_complete(model["path"], model):
            continue
        if module.check_mode:
            fetched.append({"name": model["name"], "bytes": model["size_bytes"], "removed": bad, "files": 0})
            continue
        try:
            done = fetch(model, bad, module.params["timeout_seconds"])
        except RefusedError as error:
            module.fail_json(msg=str(error), fetched=fetched, changed=True)
        if done:
            fetched.append(done)
    module.exit_json(changed=bool(fetched), fetched=fetched)


if __name__ == "__main__":
    main()
