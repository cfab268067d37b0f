"""The shape of one difference between a host and what the inventory wants, and what several roles need for it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Item = dict[str, Any]
    Facts = dict[str, Any]
    Wanted = dict[str, Any]


OURS = "provision-"
"""What the names of the containers begin with whose units provision writes."""


def item(what: str, found: str | None, to: str, reason: str, **more: Any) -> Item:
    """Return one item of drift: *found* is what is there now (None is nothing).

    *more*: reboot (bool), stops (the services and containers that mending it stops), bytes (to download), detail
    (a dict for the role that mends it).
    """
    plain = {"what": what, "from": found, "to": to, "reason": reason}
    return dict(plain, **dict({"reboot": False, "stops": [], "bytes": 0, "detail": {}}, **more))


def running_containers(facts: Facts) -> list[str]:
    """Return the names of the containers that run now: what a restart of Docker or of the host stops."""
    containers = facts.get("docker", {}).get("containers", [])
    return [container["name"] for container in containers if container["state"] in {"running", "paused"}]


def stopped_by_reboot(facts: Facts) -> list[str]:
    """Return what a reboot ends: the containers, processes outside of them that hold cards, the units to drain."""
    processes = [holder for holder in facts.get("holders", []) if holder["kind"] == "process"]
    named = ["process %s (pid %d)" % (entry["name"], entry["pid"]) for entry in processes]
    return running_containers(facts) + named + list(facts.get("drain", {}).get("active", []))


def foreign_holders(facts: Facts) -> list[str]:
    """Return in words who holds cards and was not started by provision."""
    return [
        "%s %s (pid %s)" % (holder["kind"], holder["name"], holder["pid"])
        for holder in facts.get("holders", [])
        if holder["kind"] != "container" or not holder["name"].startswith(OURS)
    ]


def running_version(name: str, package: Facts) -> Item:
    """Return the item of a *package* of which another version runs although the host has booted."""
    installed, running = package["installed"], package["running"]
    reason = "%s %s is installed and %s runs, though the host booted after the installation" % (
        name,
        installed,
        running,
    )
    return item("running version", running, installed, reason + ": a further reboot changes nothing")


def stopped_by_docker(facts: Facts) -> list[str]:
    """Return the containers that a restart of Docker stops: where the daemon keeps them alive, ours all the same.

    Their units require docker.service, so systemd stops them with it.
    """
    content = facts.get("docker", {}).get("daemon_json", {}).get("content") or {}
    kept_alive = content.get("live-restore") is True
    return [name for name in running_containers(facts) if name.startswith(OURS) or not kept_alive]


def listing(words: list[str], most: int = 4) -> str:
    """Return *words* with commas; of a long list the first ones and how many follow."""
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else "%s and %d more" % (shown, len(words) - most)
