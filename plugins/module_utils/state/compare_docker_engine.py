"""docker_engine: installed, running, new enough, and our keys of daemon.json in place and in effect."""

from __future__ import annotations

from .items import item, listing, stopped_by_docker
from .versions import is_older

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .items import Facts, Item, Wanted

# The one key whose effect the running engine shows to this role.
REGISTRIES = "insecure-registries"


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how Docker differs from *wanted*; without Docker that is all there is to say."""
    docker = facts["docker"]
    least = wanted["version_min"]
    if not docker["installed"]:
        return [item("docker", None, "%s or newer" % least, "no dockerd is installed")]
    items = _service(docker)
    if docker["version"] and is_older(docker["version"], than=least):
        reason = "the release asks for %s or newer" % least
        items.append(item("docker version", docker["version"], least, reason, stops=stopped_by_docker(facts)))
    items += _options(wanted["daemon_options"], docker, stopped_by_docker(facts))
    missing = [user for user in wanted["users"] if user not in facts["docker_users"]]
    if missing:
        items.append(item("docker users", None, listing(missing), "not in the group docker", detail={"users": missing}))
    return items


def _service(docker: Facts) -> list[Item]:
    unit = docker.get("unit") or {}
    if not docker["active"]:
        state = unit.get("state", "stopped")
        return [item("docker service", state, "active", docker["api_error"] or "dockerd does not answer")]
    if unit.get("exists") and not unit.get("enabled"):
        return [item("docker service", "not enabled", "enabled", "it would not come back after a reboot")]
    return []


def _options(options: Facts, docker: Facts, stops: list[str]) -> list[Item]:
    found = docker["daemon_json"]
    waiting = _not_in_effect(options, docker)
    if docker["active"] and docker["restart_owed"]:
        waiting = [*waiting, "the last change of daemon.json"]
    if found["exists"] and not found["valid"]:
        reason = "/etc/docker/daemon.json is not a JSON object: %s; dockerd would not start again" % found["error"]
        # repaired from the copy that provision wrote, which the engine may well run with
        return [item("daemon.json", "broken", "valid", reason, stops=stops if waiting else [], detail={"broken": True})]
    wrong = differing(options, found["content"])
    if wrong:
        to = listing(["%s=%s" % (key, options[key]) for key in wrong])
        seen = listing(["%s=%s" % (key, found["content"][key]) for key in wrong if key in found["content"]]) or None
        stops = stops if waiting or set(wrong) - {REGISTRIES} else []
        return [item("daemon.json", seen, to, "keys of the site differ", stops=stops, detail={"keys": wrong})]
    if docker["active"] and waiting:
        reason = "daemon.json has it, the running dockerd does not know it: it was not restarted"
        return [item("docker restart", "not in effect: %s" % listing(waiting), "in effect", reason, stops=stops)]
    return []


def differing(options: Facts, content: Facts) -> list[str]:
    """Return our keys that *content* does not hold; of lists and objects ours may be a part."""
    return sorted(key for key, value in options.items() if key not in content or not holds(content[key], value))


def holds(found: Any, value: Any) -> bool:
    """Return whether *found* is *value*, or a list or an object with all of it."""
    if isinstance(value, dict) and isinstance(found, dict):
        return all(name in found and found[name] == part for name, part in value.items())
    if isinstance(value, list) and isinstance(found, list):
        return all(part in found for part in value)
    return bool(found == value)


def _not_in_effect(options: Facts, docker: Facts) -> list[str]:
    """Return the registries that the running dockerd does not treat as plain HTTP; other keys it does not report."""
    return [entry for entry in options.get(REGISTRIES) or [] if entry not in docker["insecure_registries"]]
