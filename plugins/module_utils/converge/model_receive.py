"""Models from other hosts and for other hosts: what is here already is kept, the agent of the moves brings the rest.

The agent is asked while the host is made ready, so that every host serves and receives before anybody waits.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Sequence

from ..move import config, control
from ..move.errors import MoveError
from . import model_bring, model_files
from .errors import RefusedError
from .hub_files import HubFile
from .model_settle import settle
from .progress import Progress

# What the agent reads when it starts: the same from everybody who asks it.
SETTINGS = ("listen", "streams", "idle_seconds", "grace_seconds", "give_up_seconds", "slow_mbit")


def movable(files: Sequence[HubFile]) -> List[HubFile]:
    """Return those of *files* that a host which gets them could verify."""
    return [entry for entry in files if (entry["sha256"] or entry["git_sha1"]) and entry["size"] >= 0]


def settled(model: Dict[str, Any], files: List[HubFile], bad: List[str], seconds: float) -> List[str]:
    """Return the paths of *files* that are here and right; what is wrong is deleted before anybody could get it."""
    os.makedirs(model["path"], mode=0o755, exist_ok=True)
    with model_bring.step_of(model, "look at") as progress, model_bring.alone(model, seconds, progress):
        return [entry["path"] for entry in settle(model["path"], files, bad, progress).good]


def one_set(model: Dict[str, Any], files: Sequence[HubFile], mode: str, **more: Any) -> Dict[str, Any]:
    """Return the set of *model* as the agent takes it."""
    keys = ("path", "size", "sha256", "git_sha1")
    listed = [{key: entry.get(key) or "" for key in keys} for entry in files]
    found = {"name": model["name"], "folder": model["path"], "mode": mode, "files": listed}
    return {**found, "upstreams": [], "whole": [], **more}


def ask(moves: Dict[str, Any], sets: List[Dict[str, Any]]) -> str:
    """Tell the agent, start it where it is not running; return the mark of the request. Raises RefusedError."""
    tls = {"certificate": moves["tls_certificate"], "key": moves["tls_key"]} if moves.get("tls_certificate") else None
    fixed = {key: config.DEFAULTS.get(key) for key in SETTINGS}
    own = {key: moves[key] for key in ("name", "port", "rate_limit_mbit", "members", "secret")}
    try:
        mark: str = control.ask({**fixed, **own, "tls": tls, "sets": sets}, moves.get("state_dir") or control.FOLDER)
    except MoveError as error:
        raise RefusedError(f"{', '.join(each['name'] for each in sets)}: {error}") from error
    return mark


def drop(moves: Dict[str, Any], names: List[str]) -> None:
    """Let the others know at once that this host will not have what it was to fetch."""
    if moves:
        control.drop(names, moves.get("state_dir") or control.FOLDER)


def follow(moves: Dict[str, Any], models: List[Dict[str, Any]], seconds: float) -> Dict[str, Dict[str, Any]]:
    """Wait until the agent has received all *models*; return its reports by name. Raises RefusedError."""
    names = ", ".join(model["name"] for model in models)
    with Progress(f"model-{models[0]['name']}", f"receive {names}", 0) as progress:

        def heard(reports: List[Dict[str, Any]]) -> None:
            progress.total_bytes = sum(each["total"] for each in reports)
            running = [each for each in reports if each["current"] and each["state"] != "done"]
            words = "; ".join(f"receive {each['name']} from {each['current']}" for each in running)
            progress.update(sum(each["have"] for each in reports), words or f"receive {names}: wait for its sender")

        try:
            found = control.follow(moves["mark"], seconds, heard, moves.get("state_dir") or control.FOLDER)
        except MoveError as error:
            raise RefusedError(
                f"{names} from other hosts: {error}. What has arrived is kept, run again to go on; with "
                "models[].fetch: each in site.yml every host asks the source itself."
            ) from error
    return {each["name"]: each for each in found}


def finish(model: Dict[str, Any], files: List[HubFile], report: Dict[str, Any]) -> Dict[str, Any]:
    """Compare what was received, write the manifest when nothing lacks; return what was done. Raises RefusedError."""
    folder, before = model["path"], model_files.read_manifest(model["path"])
    moved = movable(files)
    # the agent has compared every one of them with its sum as it came
    model_files.note_verified(folder, [entry for entry in moved if entry["sha256"]])
    with model_bring.step_of(model, "look at") as progress:
        good, faults = model_files.compare(folder, moved, progress)
    if faults:
        reasons = "; ".join(f"{fault['file']}: {fault['reason']}" for fault in faults)
        raise RefusedError(f"{model['name']} was received whole, and now {reasons}: look who writes to {folder}")
    senders = report.get("from") or {}
    whole = bool(files) and len(moved) == len(files)
    return {
        "name": model["name"],
        "bytes": sum(senders.values()),
        "seconds": report.get("seconds") or 0,
        "from": senders,
        "notes": report.get("notes") or [],
        "files": len(good),
        "whole": whole,
        "removed": model_bring.finish(model, files, good, before) if whole else [],
    }
