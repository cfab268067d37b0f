"""Who has a model, who asks its source and who gets it from whom: computed from what all hosts have shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

EACH, CONTROLLER = "each", "controller"
UNKNOWN = "observation"
"""What host_state calls a difference that it could not look at."""

Works = dict[str, list[dict[str, Any]]]


class _Host:
    """What one host of the play wants and has."""

    def __init__(self, name: str, seen: Mapping[str, Any]) -> None:
        self.name = name
        self.models = {model["name"]: model for model in seen.get("model_store_models") or []}
        self.moves = seen.get("model_store_moves") or {}
        # how this host reaches the controller, which serves what it has fetched itself
        self.origin = (seen.get("model_store_origins") or {}).get(name) or {}
        self.done = set(seen.get("__model_store_done") or [])
        self.missed = set(seen.get("__model_store_missed") or [])
        self.files = seen.get("__model_store_files") or {}
        state = seen.get("host_state") or {}
        self.facts = (state.get("facts") or {}).get("models") or {}
        items = (state.get("drift") or {}).get("model_store") or []
        self.drift = {item["detail"].get("name") for item in items}
        self.blind = any(item["what"] == UNKNOWN for item in items)

    def lacks(self, name: str) -> bool:
        """Return whether *name* is still to be brought to this host."""
        return name in self.models and name not in self.done and (self.blind or name in self.drift)

    def holds(self, name: str) -> bool:
        """Return whether this host has *name* whole, every file with its checksum in the manifest."""
        if name not in self.models or self.lacks(name):
            return False
        seen = self.facts.get(self.models[name]["path"]) or {}
        return name in self.done or bool(seen.get("complete") and seen.get("verified"))


def model_exchange(hosts: Iterable[str], hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """Return {hosts: {host: works}, files: {name of a model: its files}} for the *hosts* that still take part.

    A work is {name, task: fetch, serve, receive or await} and what the task needs: serves, upstreams, writer. A host
    without works has nothing to do. Evaluated again it goes by what was done meanwhile: what has come is no longer
    lacking, and who has received serves.
    """
    known = [_Host(name, hostvars[name]) for name in hosts]
    works: Works = {host.name: [] for host in known}
    files: dict[str, Any] = {}
    for name in dict.fromkeys(name for host in known for name in host.models):
        members = [host for host in known if name in host.models]
        lacking = [host for host in members if host.lacks(name)]
        if lacking:
            _share_out(name, members, lacking, works)
            files[name] = _files_of(name, members)
    return {"hosts": works, "files": files}


def _share_out(name: str, members: list[_Host], lacking: list[_Host], works: Works) -> None:
    model = lacking[0].models[name]
    holders = [host for host in members if host.holds(name)]
    fetch = model.get("fetch") or EACH
    if model.get("shared"):
        _on_shared_storage(name, lacking, holders, works)
    elif fetch == EACH or not lacking[0].moves.get("enabled"):
        for host in lacking:
            works[host.name].append({"name": name, "task": "fetch", "serves": False})
    elif holders and fetch != CONTROLLER and model.get("source") != "path" and _cut_off(name, lacking):
        _without_moves(name, lacking, holders, works)
    elif holders or (fetch == CONTROLLER and any(host.origin for host in lacking)):
        _in_line(name, lacking, [_address(host) for host in holders], works)
        _serve(name, holders, works)
    else:
        first = _first(lacking, fetch)
        others = [host for host in lacking if host is not first]
        works[first.name].append({"name": name, "task": "fetch", "serves": bool(others)})
        _in_line(name, others, [_address(first)], works)


def _cut_off(name: str, lacking: list[_Host]) -> bool:
    """Return whether hosts could get nothing from others, although one has it by now: the network lets nothing pass."""
    return any(name in host.missed for host in lacking)


def _without_moves(name: str, lacking: list[_Host], holders: list[_Host], works: Works) -> None:
    """Let the hosts that are cut off ask the source themselves; the others go on as before."""
    for host in lacking:
        if name in host.missed:
            works[host.name].append({"name": name, "task": "fetch", "serves": False})
    _in_line(name, [host for host in lacking if name not in host.missed], [_address(host) for host in holders], works)
    _serve(name, holders, works)


def _first(lacking: list[_Host], fetch: str) -> _Host:
    """Return who asks the source: the host that the site names, or the next one where that takes no part."""
    return next((host for host in lacking if host.name == fetch), lacking[0])


def _on_shared_storage(name: str, lacking: list[_Host], holders: list[_Host], works: Works) -> None:
    """One host writes; the others look afterwards whether they see it."""
    if holders:
        for host in lacking:
            works[host.name].append({"name": name, "task": "await", "writer": holders[0].name})
        return
    writer = _first(lacking, lacking[0].models[name].get("fetch") or "")
    works[writer.name].append({"name": name, "task": "fetch", "serves": False})


def _in_line(name: str, line: list[_Host], sources: list[dict[str, Any]], works: Works) -> None:
    """Let every host of *line* ask the one before it, then those before that, then the *sources* and the controller.

    Those behind are asked only for what they have already: when everybody before has died.
    """
    for index, host in enumerate(line):
        before = [_address(other) for other in reversed(line[:index])]
        behind = [{**_address(other), "behind": True} for other in line[index + 1 :]]
        origin = [host.origin] if host.origin else []
        asked = [*before, *sources, *origin, *behind]
        works[host.name].append({"name": name, "task": "receive", "upstreams": asked})


def _serve(name: str, holders: list[_Host], works: Works) -> None:
    for host in holders:
        works[host.name].append({"name": name, "task": "serve"})


def _address(host: _Host) -> dict[str, Any]:
    members = {member["host"]: member["address"] for member in host.moves.get("members") or []}
    return {"name": host.name, "address": members.get(host.name, host.name)}


def _files_of(name: str, members: list[_Host]) -> list[Any]:
    """Return the files of a model: of who has it whole, else of site.lock, else as its source lists them."""
    lists = [host.files.get(name) for host in members if host.holds(name)]
    lists += [host.models[name].get("files") for host in members]
    lists += [host.files.get(name) for host in members]
    return next((found for found in lists if found), [])


def model_works(share: Mapping[str, Any], host: str, models: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what *host* has to do by the *share* of model_exchange; without one it fetches all of its *models*."""
    if not share:
        return [{"name": model["name"], "task": "fetch", "serves": False} for model in models]
    return list(share["hosts"].get(host) or [])


class FilterModule:
    """Gives Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return every filter by name."""
        return {"model_exchange": model_exchange, "model_works": model_works}
