#!/usr/bin/python
"""Bring the files of models to the host with the hub's own client, and compare every file with the hub's checksums.

Arguments: models, a list of {name, path, source, repo, revision, endpoint, image, size_bytes} as the role's variable
has it; bad, {path of a model: [names of files that are known to be spoilt]}; timeout_seconds for each model.
Returns: changed, fetched: [{name, bytes, removed, files}].
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import model_files
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.hub_files import listing
from ansible.module_utils.converge.model_client import download
from ansible.module_utils.converge.progress import Progress
from ansible.module_utils.converge.vendor import free_bytes
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
    """Make *model* whole; return what was done. Raises RefusedError."""
    folder = model["path"]
    os.makedirs(folder, mode=0o755, exist_ok=True)
    step = Progress(f"model-{model['name']}", f"look at {model['repo']}", model["size_bytes"])
    with step as progress, open(os.path.join(folder, LOCK), "w", encoding="utf-8") as lock:
        progress.update(0, "wait for another host that fills the same folder", force=True)
        fcntl.flock(lock, fcntl.LOCK_EX)  # shared storage: one client at a time
        return _fill(model, bad, timeout_seconds, progress)


def _fill(model: Dict[str, Any], bad: List[str], timeout_seconds: float, progress: Progress) -> Dict[str, Any]:
    folder = model["path"]
    removed: List[str] = model_files.remove(folder, bad)
    files = listing(model, get_json)
    need = sum(entry["size"] for entry in files)
    before: int = model_files.bytes_below(folder)
    room: int = free_bytes(folder)
    if (need - before) * SPARE > room:
        raise RefusedError(
            f"{folder} has {room} bytes free, expected {int((need - before) * SPARE)} for the rest of {model['repo']}: "
            "make room, or choose another path in site.yml (models.path)"
        )
    good, faults = model_files.compare(folder, files, progress)
    for _ in range(ROUNDS):
        if not faults:
            break
        removed += model_files.remove(folder, [fault["file"] for fault in faults])
        progress.total_bytes = need
        download(model, progress, timeout_seconds)
        good, faults = model_files.compare(folder, files, progress)
    if faults:
        gone = model_files.remove(folder, [fault["file"] for fault in faults])
        reasons = "; ".join(f"{fault['file']}: {fault['reason']}" for fault in faults)
        raise RefusedError(
            f"{model['repo']}: after {ROUNDS} downloads the hub's checksums do not fit: {reasons}. "
            f"Deleted: {', '.join(gone) or 'nothing'}. Look at the mirror, then run again."
        )
    model_files.remove_leftovers(folder)
    model_files.write_manifest(folder, model, good)
    moved = max(0, model_files.bytes_below(folder) - before)
    return {"name": model["name"], "bytes": moved, "removed": removed, "files": len(good)}


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
            fetched.append(fetch(model, bad, module.params["timeout_seconds"]))
        except RefusedError as error:
            module.fail_json(msg=str(error), fetched=fetched, changed=True)
    module.exit_json(changed=bool(fetched), fetched=fetched)


if __name__ == "__main__":
    main()
