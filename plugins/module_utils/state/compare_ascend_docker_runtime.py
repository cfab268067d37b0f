"""ascend_docker_runtime: the package, its entry in daemon.json, and whether dockerd has taken it over."""

from __future__ import annotations

from .items import item, listing, stopped_by_docker
from .versions import is_build_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Item, Wanted

NAME = "ascend"
OWNER = "ascend_docker_runtime"


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how the runtime differs from *wanted*; a daemon.json that is broken as a whole is docker_engine's."""
    found, version = facts["ascend_docker_runtime"], wanted["version"]
    size, stops = wanted["package"].get("size") or 0, stopped_by_docker(facts)
    if not found["present"]:
        return [item("runtime version", None, version, "it is not installed", stops=stops, bytes=size)]
    if not found["complete"]:
        reason = "an installation ended half-way: missing %s" % (listing(found["missing"]) or "the version")
        return [item("runtime installation", "incomplete", version, reason, stops=stops, bytes=size)]
    if not is_build_of(found["installed"], version):
        reason = "its install info says %s, the site %s" % (found["installed"], version)
        return [item("runtime version", found["installed"], version, reason, stops=stops, bytes=size)]
    daemon = facts["docker"]["daemon_json"]
    return (_entry(wanted, facts, stops) if daemon["valid"] else []) + _mounts(found)


def _mounts(found: Facts) -> list[Item]:
    """Return how our own list of mounts differs; containers read it when they start, so nothing has to stop."""
    there, expected = found.get("mounts"), found.get("mounts_present") or []
    if (there or []) == expected and (there is None) == (not expected):
        return []
    reason = "the runtime's own list of mounts differs from site.yml: docker.runtime_mounts"
    seen = None if there is None else listing(there) or "an empty list"
    return [item("runtime mounts", seen, listing(expected) or "no list", reason)]


def _entry(wanted: Wanted, facts: Facts, stops: list[str]) -> list[Item]:
    """Return what is wrong with runtimes.ascend and default-runtime, in the file or in the dockerd that runs."""
    docker, path = facts["docker"], facts["ascend_docker_runtime"]["path"]
    content = docker["daemon_json"]["content"]
    runtimes = content.get("runtimes")
    entry = runtimes.get(NAME) if isinstance(runtimes, dict) else None
    in_file = entry.get("path") if isinstance(entry, dict) else None
    waiting = _not_in_effect(wanted, docker, path)
    stops = stops if waiting or not docker["active"] else []  # a right dockerd is not restarted for its file
    default = content.get("default-runtime")
    items = []
    if in_file != path:
        reason = "runtimes.%s of /etc/docker/daemon.json does not name it" % NAME
        items.append(item("runtime entry", in_file, path, reason, stops=stops))
    if not _default_is_right(wanted, docker, default):
        to = NAME if wanted["default_runtime"] else "not %s" % NAME
        reason = "default-runtime of /etc/docker/daemon.json differs"
        items.append(item("default runtime", default, to, reason, stops=stops))
    if not items and waiting:
        reason = "daemon.json names it, the running dockerd does not know it: it was not restarted"
        items.append(item("docker restart", "not in effect: %s" % listing(waiting), "in effect", reason, stops=stops))
    return items


def _default_is_right(wanted: Wanted, docker: Facts, default: str | None) -> bool:
    """Return whether *default* may stay: a site that keeps it wants what was there before us."""
    noted = (docker.get("daemon_keys") or {}).get(OWNER, {}).get("default-runtime", {})
    return (default == NAME) == bool(wanted["default_runtime"] or noted.get("had") == NAME)


def _not_in_effect(wanted: Wanted, docker: Facts, path: str) -> list[str]:
    if not docker["active"]:
        return []
    waiting = [] if docker["runtimes"].get(NAME) == path else ["runtime"]
    if not _default_is_right(wanted, docker, docker["default_runtime"]):
        waiting.append("default runtime")
    return waiting
