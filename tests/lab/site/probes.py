"""Asks every part of the simulated site whether it really answers."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from tests.lab.serving.model import REPO as MODEL
from tests.lab.site.command import tool
from tests.lab.site.errors import LabError
from tests.lab.site.layout import REGISTRY, SERVICES_ADDRESS, SERVICES_CONTAINER, SUITE, USER, Host, Layout

HostType = TypeVar("HostType", bound=Host)

HTTP_SECONDS = 5
SSH_SECONDS = 10
BOOT_SECONDS = 90
STRANGER = "Host key verification failed"
"""How ssh says that a machine is another one than expected; waiting does not change that."""
SERVICES = {
    "mirror": f"http://{SERVICES_ADDRESS}/",
    "apt": f"http://{SERVICES_ADDRESS}/apt/dists/{SUITE}/InRelease",
    "registry": f"http://{REGISTRY}/v2/",
    "hub": f"http://{SERVICES_ADDRESS}:8080/api/models/{MODEL}",
}
"""Service -> address that answers when the service works."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe found; *detail* says what was wrong when *ok* is false."""

    ok: bool
    detail: str = ""


def http(url: str) -> Answer:
    """Ask *url*; any answer of a program that understood the request is good, a gateway's excuse is not."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=HTTP_SECONDS) as response:
            return Answer(True, f"{response.status}")
    except urllib.error.HTTPError as error:
        return Answer(False, f"{url}: {error.code} {error.reason}")
    except (OSError, urllib.error.URLError) as error:
        return Answer(False, f"{url}: {getattr(error, 'reason', error)}")


def ssh_arguments(layout: Layout, node: Host) -> list[str]:
    """Return the ssh call that logs in to *node*, host key checked, nothing asked, no setting of the user's own."""
    options = {
        "IdentityFile": layout.identity,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": layout.known_hosts,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": SSH_SECONDS,
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return [tool("ssh"), "-F", "none", *words, f"{USER}@{node.address}"]


def ssh(layout: Layout, node: Host) -> Answer:
    """Log in to *node* and become root."""
    try:
        done = subprocess.run(
            [*ssh_arguments(layout, node), "sudo", "-n", "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * SSH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(False, f"no answer within {2 * SSH_SECONDS} s")
    return Answer(done.returncode == 0, done.stderr.strip())


def wait_for_ssh(layout: Layout, node: Host, engine_url: str, seconds: float = BOOT_SECONDS, look: str = "") -> None:
    """Wait until *node* lets the operator in; *look* is a command that shows why it does not.

    Without one *node* is a container of the engine at *engine_url*.

    Raises:
        LabError: it does not within *seconds*.
    """
    look = look or f"docker --host {engine_url} exec {node.container} journalctl --boot"
    deadline = time.monotonic() + seconds
    while not (answer := ssh(layout, node)).ok:
        if time.monotonic() > deadline or STRANGER in answer.detail:
            raise LabError(
                f"{node.name} ({node.address}) does not let {USER} in within {seconds:.0f} s: {answer.detail}\n"
                f"look at it with: {look}; `lab fresh {node.name}` makes it anew"
            )
        time.sleep(0.3)


def wait_for_service(name: str, engine_url: str) -> None:
    """Wait until service *name* of SERVICES, on the engine at *engine_url*, answers.

    Raises:
        LabError: it does not within BOOT_SECONDS.
    """
    deadline = time.monotonic() + BOOT_SECONDS
    while not (answer := http(SERVICES[name])).ok:
        if time.monotonic() > deadline:
            raise LabError(
                f"service {name} does not answer after {BOOT_SECONDS} s: {answer.detail}\n"
                f"look at it with: docker --host {engine_url} exec {SERVICES_CONTAINER} journalctl --boot"
            )
        time.sleep(0.3)


def all_services() -> dict[str, Answer]:
    """Probe every service at once."""
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        return dict(zip(SERVICES, pool.map(http, SERVICES.values()), strict=True))


def all_nodes(layout: Layout, nodes: Sequence[HostType]) -> dict[HostType, Answer]:
    """Probe every node at once."""
    with ThreadPoolExecutor(max(1, len(nodes))) as pool:
        return dict(zip(nodes, pool.map(lambda node: ssh(layout, node), nodes), strict=True))
