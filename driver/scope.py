"""Which hosts and roles a playbook run has to be about so that mending one host leaves no other one broken."""

from __future__ import annotations

from driver.fleet import Fleet
from driver.plan import Plan

# What runs across hosts: these plays look again after anything else was played, and do nothing where all is well.
SERVING = ("ray_cluster", "inference_service")


def scope(fleet: Fleet, plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return hosts and tags of the run that makes *plan* true.

    A host that shares a Ray cluster with a drifting one belongs to it: its engine does not notice that a node was
    lost before the next request. Both stay within what --limit and --tags left of *fleet*.
    """
    drifting = set(plan.drifting)
    clusters = {name for host in fleet.hosts if host.name in drifting for name in host.clusters()}
    hosts = tuple(host.name for host in fleet.hosts if host.name in drifting or clusters & host.clusters())
    tags = tuple(role for role in fleet.roles if role in plan.roles or role in SERVING)
    return hosts, tags
