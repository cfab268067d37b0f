"""Which hosts and roles a run has to be about so that mending one host leaves no other one broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from driver import plan as plans
from driver.errors import SiteError
from driver.fleet import SERVING, Fleet, FleetHost
from driver.plan import Plan

if TYPE_CHECKING:
    from driver.observe import Observation

MODELS = "model_store"
MOST_HOLDERS = 4  # a line of receivers takes its bytes from one; the others are there for when it dies
REBOOTING = ("npu_driver", "npu_firmware")  # the reboot is played for these, and reboots whoever waits for one


def scope(fleet: Fleet, plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return hosts and tags of the run that makes *plan* true.

    A host that shares a Ray cluster with a drifting one belongs to it: its engine does not notice that a node was
    lost before the next request. So does one that has a model which a drifting one lacks: it passes it on. All stay
    within *fleet*: what --limit and --tags left, and the guests of `planned`.
    """
    drifting = set(plan.drifting)
    clusters = {name for host in fleet.hosts if host.name in drifting for name in host.clusters()}
    chosen = drifting | set(_holders(fleet, plan))
    hosts = tuple(host.name for host in fleet.hosts if host.name in chosen or clusters & host.clusters())
    # the serving plays look again after anything else was played, and do nothing where all is well
    tags = tuple(role for role in fleet.roles if role in plan.roles or role in SERVING)
    return hosts, tags


def _holders(fleet: Fleet, plan: Plan) -> Iterator[str]:
    """Yield hosts that have the models which others lack, a few for each: they serve, and nothing is done to them."""
    lacking = {change.host for change in plan.changes if change.role == MODELS}
    wanted = {host.name: _models(host) for host in fleet.hosts}
    for model in {name for host in lacking for name in wanted.get(host, set())}:
        holders = [host.name for host in fleet.hosts if model in wanted[host.name] and host.name not in lacking]
        yield from holders[:MOST_HOLDERS]


def _models(host: FleetHost) -> set[str]:
    """Return the names of the models that *host* gets from other hosts, and gives to them."""
    role = host.wanted.get(MODELS, {})
    if not role.get("moves", {}).get("enabled"):
        return set()
    found = role.get("models", [])
    return {model["name"] for model in found if model.get("fetch") != "each" and not model.get("shared")}


def planned(
    fleet: Fleet,
    seen: Observation,
    seconds_of_role: Mapping[str, float],
    look: Callable[[Fleet], Observation],
) -> tuple[Fleet, Plan]:
    """Return the plan, and *fleet* with the hosts that have to come along though --limit left them out.

    They are the mates whose running part of a service the plan would break; *look* observes them. With --tags that
    leave the serving roles out nobody comes along, and the plan only says what stops. Raises SiteError when a mate
    has drift of its own in a role to be played, because the run would mend that, too; Unreachable when a mate that
    has to come along does not answer.
    """
    plan = plans.build(fleet, seen, seconds_of_role)
    clusters = plans.disturbed(fleet, plan.changes)
    near = replace(fleet, hosts=tuple(mate for mate in fleet.mates if clusters & mate.clusters()))
    if near.hosts:
        more = look(near)
        if near.roles:
            more.require_all()
        guests = tuple(mate for mate in near.hosts if _runs(mate, clusters, more))
        mates = tuple(mate for mate in fleet.mates if mate not in guests)
        seen = replace(seen, docs=seen.docs | more.docs)
        wide = replace(fleet, hosts=(*fleet.hosts, *guests), mates=mates)
        if near.roles and guests:
            return planned(wide, seen, seconds_of_role, look)  # a guest with drift in another cluster has mates, too
        asked = tuple(host.name for host in fleet.hosts)
        plan = replace(plans.build(wide, seen, seconds_of_role), hosts=asked, guests=plan.guests)
    _require_guests(fleet, plan, seen)
    return fleet, plan


def _require_guests(fleet: Fleet, plan: Plan, seen: Observation) -> None:
    """Raise SiteError when playing the roles of *plan* would do more to a guest than restart its services."""
    lines = []
    asked = [host.name for host in fleet.hosts if not host.guest]
    for guest in (host for host in fleet.hosts if host.guest):
        drift = seen.docs[guest.name]["drift"]
        played = [role for role, items in drift.items() if role in plan.roles and role not in SERVING and items]
        pending = [role for role in REBOOTING if any(entry.get("reboot") for entry in drift.get(role, []))]
        own = dict.fromkeys([*played, *(pending if set(REBOOTING) & set(plan.roles) else [])])
        if own:
            lines.append(
                f"--limit: found {', '.join(asked)}, whose Ray cluster {guest.name} is in: its services restart, "
                f"and it differs from the site in {', '.join(own)}, which would be mended, too; expected both "
                f"or neither: use --limit {','.join([*asked, guest.name])}"
            )
    if lines:
        raise SiteError(lines)


def _runs(host: FleetHost, clusters: set[str], seen: Observation) -> bool:
    """Return whether *host* runs a part of one of the *clusters*."""
    facts = seen.docs.get(host.name, {}).get("facts", {})
    parts = [facts.get("ray", {}).get(name, {}) for name in clusters]
    parts += [facts.get("services", {}).get(name, {}) for name in clusters]
    return any(part.get("unit_active") or part.get("container_running") for part in parts)
