"""The network of the simulated site: its own addresses, no way out."""

from __future__ import annotations

from pathlib import Path

from docker.errors import NotFound
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from tests.lab.site.engine import Engine
from tests.lab.site.errors import LabError
from tests.lab.site.layout import BRIDGE, GATEWAY, LABEL, NETWORK, SUBNET


def ensure(engine: Engine) -> Network:
    """Return the site's network; make it when it is missing.

    It is internal: what a site needs comes from its service host, and a test that reaches for the internet fails here
    as it would behind a company's wall.

    Raises:
        LabError: the bridge belongs to another engine.
    """
    try:
        return engine.client.networks.get(NETWORK)
    except NotFound:
        pass
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
        labels={LABEL: "network"},
    )


def remove(engine: Engine) -> bool:
    """Remove the site's network; return whether there was one."""
    try:
        engine.client.networks.get(NETWORK).remove()
    except NotFound:
        return False
    return True
