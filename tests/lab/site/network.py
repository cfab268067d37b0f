"""The network of the simulated site: its own addresses, no way out."""

from __future__ import annotations

from pathlib import Path

from docker.errors import NotFound
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from tests.lab.site.engine import Engine
from tests.lab.site.errors import LabError
from tests.lab.site.layout import BRIDGE, GATEWAY, LABEL, NETWORK, OWNER_LABEL, SUBNET, Layout


def ensure(engine: Engine, layout: Layout) -> Network:
    """Return the site's network; make it when it is missing.

    It is internal: what a site needs comes from its service host, and a test that reaches for the internet fails here
    as it would behind a company's wall.

    Raises:
        LabError: the bridge belongs to another engine, or the network to another checkout.
    """
    existing = find(engine, layout)
    if existing is not None:
        return existing
    if Path("/sys/class/net", BRIDGE).exists():
        raise LabError(
            f"network interface {BRIDGE} exists, but the engine at {engine.url} does not know network {NETWORK}: "
            "the lab of another checkout is up, or an engine was killed. Run `lab down` there, "
            f"or remove the interface with: ip link delete {BRIDGE}"
        )
    return engine.client.networks.create(
        NETWORK,
        driver="bridge",
        internal=True,
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(SUBNET), gateway=str(GATEWAY))]),
        options={"com.docker.network.bridge.name": BRIDGE},
        labels={LABEL: "network", OWNER_LABEL: str(layout.root)},
    )


def find(engine: Engine, layout: Layout) -> Network | None:
    """Return the site's network, or None.

    Raises:
        LabError: it is the network of another checkout, whose machines have the same names as ours.
    """
    try:
        found = engine.client.networks.get(NETWORK)
    except NotFound:
        return None
    owner = (found.attrs.get("Labels") or {}).get(OWNER_LABEL, str(layout.root))
    if owner != str(layout.root):
        raise LabError(
            f"network {NETWORK} of the engine at {engine.url} belongs to the lab in {owner}, not to {layout.root}; "
            "one engine carries one lab: run `lab down` there first"
        )
    return found


def remove(engine: Engine, layout: Layout) -> bool:
    """Remove the site's network; return whether there was one."""
    found = find(engine, layout)
    if found is not None:
        found.remove()
    return found is not None
