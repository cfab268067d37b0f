"""The shape of one difference between a host and what the inventory wants, and what several roles need for it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Item = dict[str, Any]
    Facts = dict[str, Any]
    Wanted = dict[str, Any]


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


def stopped_by_docker(facts: Facts) -> list[str]:
    """Return the containers that a restart of Docker stops: none where the daemon keeps them alive."""
    content = facts.get("docker", {}).get("daemon_json", {}).get("content") or {}
    return [] if content.get("live-restore") is True else running_containers(facts)


def listing(words: list[str], most: int = 4) -> str:
    """Return *words* with commas; of a long list the first ones and how many follow."""
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else "%s and %d more" % (shown, len(words) - most)
