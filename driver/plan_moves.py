"""What a plan says of models: how much goes to which hosts, and from where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from driver.units import size

if TYPE_CHECKING:
    from driver.fleet import Fleet
    from driver.observe import Observation

ROLE = "model_store"
NAMED = 4  # hosts of a line


def lines(fleet: Fleet, seen: Observation) -> Iterator[str]:
    """Yield a line for every model that a host of *fleet* lacks."""
    lacking = {host.name: _lacking(seen.docs.get(host.name, {})) for host in fleet.hosts if ROLE in host.roles}
    wanted = {host.name: host.wanted.get(ROLE, {}) for host in fleet.hosts if ROLE in host.roles}
    models = {model["name"]: model for role in wanted.values() for model in role.get("models", [])}
    for name, model in models.items():
        hosts = [host for host, found in lacking.items() if name in found]
        if hosts:
            members = [host for host, role in wanted.items() if name in {one["name"] for one in role.get("models", [])}]
            holders = [host for host in members if host not in hosts]
            moves = bool(wanted[hosts[0]].get("moves", {}).get("enabled"))
            total = sum(lacking[host][name] for host in hosts)
            amount = f"{size(total)} to " if total else "to "
            yield f"{name}: {amount}{_names(hosts)}; {_way(model, hosts, holders, moves)}"


def _lacking(document: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes that a host lacks of each model that drifts there."""
    items = document.get("drift", {}).get(ROLE) or []
    return {str(item["detail"]["name"]): int(item.get("bytes") or 0) for item in items if item.get("detail")}


def _way(model: Mapping[str, Any], hosts: list[str], holders: list[str], moves: bool) -> str:
    source = f"{model['source']} {model['repo']}" + (f" ({model['endpoint']})" if model["endpoint"] else "")
    fetch = model["fetch"]
    if model["shared"]:
        writer = fetch if fetch in hosts else hosts[0]
        return (
            f"{_names(holders)} has it on the same storage" if holders else f"{writer} writes it for all, from {source}"
        )
    if fetch == "each" or not moves:
        return f"from {source}, by each host itself" if len(hosts) > 1 else f"from {source}"
    if holders:
        return f"from {_names(holders)}, {'which has' if len(holders) == 1 else 'who have'} it"
    if fetch == "controller":
        return f"from {source} by this machine, which passes it on"
    first = fetch if fetch in hosts else hosts[0]
    others = [host for host in hosts if host != first]
    return f"from {source} by {first}" + (f", passed on to {_names(others)}" if others else "")


def _names(hosts: list[str]) -> str:
    return ", ".join(hosts) if len(hosts) <= NAMED else f"{', '.join(hosts[:NAMED])}, … ({len(hosts)} in all)"
