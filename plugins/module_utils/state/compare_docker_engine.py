"""docker_engine: installed, running, of the right version, and our keys of daemon.json in place and in effect."""

from __future__ import annotations

from . import docker_start
from .compare_docker_proxy import proxies
from .items import item, listing, stopped_by_docker
from .versions import is_older, is_same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .items import Facts, Item, Wanted

OWNER = "docker_engine"
# The keys whose effect the running engine shows to this role.
VISIBLE = {"insecure-registries", "registry-mirrors", "data-root", "log-driver"}


def compare(wanted: Wanted, facts: Facts) -> list[Item]:
    """Return how Docker differs from *wanted*; without Docker that is all there is to say."""
    docker, stops = facts["docker"], stopped_by_docker(facts)
    if not docker["installed"]:
        least = wanted.get("version") or "%s or newer" % wanted["version_min"]
        size = (wanted.get("static") or {}).get("size") or 0
        return [item("docker", None, least, "no dockerd is installed", bytes=size)]
    items = _service(docker) + _version(wanted, docker, stops) + _programs(wanted, docker, stops)
    items += _options(wanted["daemon_options"], docker, stops)
    items += proxies(wanted.get("proxy") or {}, docker, stops)
    return [*items, *_users(wanted["users"], facts)]


def _users(wanted: list[str], facts: Facts) -> list[Item]:
    """Return who of *wanted* is not let in, and whom provision let in and the site no longer names."""
    missing = [user for user in wanted if user not in facts["docker_users"]]
    let_in = facts["docker"].get("members") or []
    left = [user for user in let_in if user not in wanted]
    items = []
    if missing:
        items.append(item("docker users", None, listing(missing), "not in the group docker", detail={"users": missing}))
    if left:
        reason = "provision let them in, the site does not name them any more"
        items.append(item("docker users", listing(left), "not in the group docker", reason))
    return items


def _service(docker: Facts) -> list[Item]:
    unit = docker.get("unit") or {}
    if not docker["active"]:
        state = unit.get("state", "stopped")
        return [item("docker service", state, "active", docker["api_error"] or "dockerd does not answer")]
    if unit.get("exists") and not unit.get("enabled"):
        return [item("docker service", "not enabled", "enabled", "it would not come back after a reboot")]
    return []


def _version(wanted: Wanted, docker: Facts, stops: list[str]) -> list[Item]:
    least, exactly = wanted["version_min"], wanted.get("version") or ""
    found = docker["version"] or (docker.get("programs") or {}).get("version")
    if not found:
        return []
    if is_older(found, than=least):
        return [
            item("docker version", found, exactly or least, "the release asks for %s or newer" % least, stops=stops)
        ]
    if exactly and wanted.get("source") in {"docker", "static"} and not is_same(_plain(found), _plain(exactly)):
        return [item("docker version", found, exactly, "site.yml names this version", stops=stops)]
    return []


def _plain(version: str) -> str:
    """Return *version* without what a distribution adds: 20.10.24+dfsg1 is 20.10.24."""
    return version.partition("+")[0].partition("~")[0]


def _programs(wanted: Wanted, docker: Facts, stops: list[str]) -> list[Item]:
    """Return which of the programs that provision unpacked are gone or are others now."""
    programs = docker.get("programs") or {}
    if wanted.get("source") != "static" or not programs.get("files"):
        return []
    unit = docker.get("unit") or {}
    ours = unit.get("exists") and unit.get("digest") and not unit.get("edited")
    spoilt = programs["missing"] + programs["changed"] + ([] if ours else ["docker.service"])
    if not spoilt:
        return []
    reason = "these are not what provision put there"
    return [item("docker programs", listing(spoilt), wanted["version"], reason, stops=stops)]


def _options(options: Facts, docker: Facts, stops: list[str]) -> list[Item]:
    found = docker["daemon_json"]
    waiting = _not_in_effect(options, docker)
    if docker["active"] and docker["restart_owed"]:
        waiting = [*waiting, "the last change of daemon.json"]
    if found["exists"] and not found["valid"]:
        reason = "/etc/docker/daemon.json is not a JSON object: %s; dockerd would not start again" % found["error"]
        # repaired from the copy that provision wrote, which the engine may well run with
        return [item("daemon.json", "broken", "valid", reason, stops=stops if waiting else [], detail={"broken": True})]
    twice = docker_start.given_twice([*found["content"], *options], docker.get("start") or docker_start.absent())
    if twice:
        return [_twice(twice)]
    wrong, left = differing(options, found["content"]), left_over(options, docker)
    if wrong or left:
        return [_differs(options, docker, wrong, left, stops if waiting or set(wrong) - VISIBLE or left else [])]
    if docker["active"] and waiting:
        reason = "daemon.json has it, the running dockerd does not know it: it was not restarted"
        return [item("docker restart", "not in effect: %s" % listing(waiting), "in effect", reason, stops=stops)]
    return []


def _twice(twice: list[Facts]) -> Item:
    words = ["%s (%s in %s)" % (entry["key"], entry["option"], entry["file"] or "its unit") for entry in twice]
    reason = "dockerd does not start when daemon.json and its command line name the same key"
    return item("daemon.json", listing(words), "one place for each key", reason, detail={"twice": twice})


def _differs(options: Facts, docker: Facts, wrong: list[str], left: list[str], stops: list[str]) -> Item:
    content = docker["daemon_json"]["content"]
    shown = {key: content[key] for key in [*wrong, *left] if key in content}
    seen = listing(["%s=%s" % pair for pair in shown.items()]) or None
    to = [*("%s=%s" % (key, options[key]) for key in wrong), *("%s as it was" % key for key in left)]
    reason = "keys of the site differ" if wrong else "the site does not name these any more"
    detail: Facts = {"keys": sorted({*wrong, *left})}
    if "data-root" in [*wrong, *left]:
        detail["data_root"] = {"from": docker["root"] or "/var/lib/docker", "holds": docker.get("root_content") or []}
    return item("daemon.json", seen, listing(to), reason, stops=stops, detail=detail)


def differing(options: Facts, content: Facts) -> list[str]:
    """Return our keys that *content* does not hold; of lists and objects ours may be a part."""
    return sorted(key for key, value in options.items() if key not in content or not holds(content[key], value))


def left_over(options: Facts, docker: Facts) -> list[str]:
    """Return the keys of which something is in daemon.json that provision put there and the site no longer names."""
    content = docker["daemon_json"]["content"]
    noted = (docker.get("daemon_keys") or {}).get(OWNER, {})
    return sorted(
        key for key, entry in noted.items() if key in content and _remains(content[key], entry, options.get(key))
    )


def _remains(now: Any, entry: Facts, wanted: Any) -> bool:
    ours, had = entry["set"], entry.get("had")
    if isinstance(now, dict) and isinstance(ours, dict):
        kept, before = wanted or {}, had if isinstance(had, dict) else {}
        mine = [name for name in ours if name not in kept and now.get(name) == ours[name]]
        return any(before.get(name) != ours[name] for name in mine)
    if isinstance(now, list) and isinstance(ours, list):
        return any(part in now and part not in (wanted or []) and part not in (had or []) for part in ours)
    return wanted is None and bool(now == ours) and now != had


def holds(found: Any, value: Any) -> bool:
    """Return whether *found* is *value*, or a list or an object with all of it."""
    if isinstance(value, dict) and isinstance(found, dict):
        return all(name in found and found[name] == part for name, part in value.items())
    if isinstance(value, list) and isinstance(found, list):
        return all(part in found for part in value)
    return bool(found == value)


def _not_in_effect(options: Facts, docker: Facts) -> list[str]:
    """Return what of *options* the running dockerd does not show; keys that it does not report are not looked at."""
    if not docker["active"]:
        return []
    missing = [
        entry for entry in options.get("insecure-registries") or [] if entry not in docker["insecure_registries"]
    ]
    mirrors = docker.get("registry_mirrors") or []
    missing += [entry for entry in options.get("registry-mirrors") or [] if entry.rstrip("/") not in mirrors]
    for key, shown in (("data-root", "root"), ("log-driver", "log_driver")):
        if key in options and docker.get(shown) is not None and docker[shown] != options[key]:
            missing.append("%s %s" % (key, options[key]))
    return missing
