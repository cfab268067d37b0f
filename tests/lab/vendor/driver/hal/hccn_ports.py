"""The chips' network ports: what they are set to now, what /etc/hccn.conf says, and who answers on the wire.

The ports forget their addresses at a reboot; `recovery` sets them again as the file says. Between hosts the lab's own
network stands in for the wire: a host asks all others (a broadcast, UDP 4791, the port of RoCE) who has an address.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
import davinci_state as state  # noqa: E402  # only the folder of this file has it

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Port = dict[str, str]

CONF = Path("/etc/hccn.conf")
LOG = Path("/var/log/hccn_tool/hccn_config.log")
PORTS = state.RUN / "ports.json"
COPY = Path(__file__).parent / ".ports.json"
WIRE = 4791
WAIT_SECONDS = 0.6
KEYS = ("address", "netmask", "gateway", "netdetect")


class UsageError(Exception):
    """A value or an argument is not understood."""


def configured() -> dict[str, str]:
    """Return the key=value lines of /etc/hccn.conf; a later line counts."""
    if not CONF.is_file():
        return {}
    lines = [line.strip() for line in CONF.read_text(encoding="utf-8").splitlines()]
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return {key.strip(): value.strip() for key, value in pairs}


def store(changes: dict[str, str]) -> None:
    """Put *changes* into /etc/hccn.conf, as every `-s` does; lines that are no settings do not survive it."""
    merged = {**configured(), **changes}
    draft = CONF.with_suffix(".new")
    draft.write_text("".join(f"{key}={value}\n" for key, value in merged.items()), encoding="utf-8")
    draft.chmod(0o644)
    draft.replace(CONF)


def ports() -> dict[str, Port]:
    """Return what the ports are set to, by the number of the chip as text."""
    source = COPY if state.in_container() else PORTS
    if not source.is_file():
        return {}
    found: dict[str, Port] = json.loads(source.read_text(encoding="utf-8"))
    return found


def set_port(index: int, values: Port) -> None:
    """Make *values* the settings of port *index*, all others go."""
    text = json.dumps({**ports(), str(index): values}, indent=1, sort_keys=True)
    for target in (PORTS, COPY):
        target.write_text(text, encoding="utf-8")


def check(values: Port) -> None:
    """Raise UsageError when a port cannot be set to *values*."""
    try:
        for key in values:
            if key != "netmask":
                ipaddress.IPv4Address(values[key])
        network = ipaddress.IPv4Interface("{}/{}".format(values["address"], values["netmask"])).network
    except KeyError as error:
        raise UsageError(f"{error.args[0]} is missing") from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    if "gateway" in values and ipaddress.IPv4Address(values["gateway"]) not in network:
        raise UsageError("The segment of configured gateway doesn't match that of the configured ip address!")


def log(text: str) -> None:
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("a", encoding="utf-8") as file:
        file.write(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] {text}\n")


def recover(index: int) -> bool:
    """Set port *index* as /etc/hccn.conf says; False when it does not take it and keeps what it had."""
    conf = configured()
    wanted = {key: conf[f"{key}_{index}"] for key in KEYS if f"{key}_{index}" in conf}
    try:
        if state.card_fact(index, "recovery", "success") != "success":
            raise UsageError("the port does not answer")
        if wanted:
            # what the file does not say stays as it is, but a route of the old address does not outlive it
            before = ports().get(str(index), {})
            if before.get("address") != wanted.get("address"):
                before.pop("gateway", None)
            check({**before, **wanted})
            set_port(index, {**before, **wanted})
    except UsageError as error:
        log(f"dev:{index} recovery fail: {error}")
        return False
    log(f"dev:{index} recovery success: {wanted}")
    return True


def link(index: int) -> str:
    return state.card_fact(index, "link", "UP")


def owner(address: str, indexes: list[int]) -> int | None:
    """Return which of our ports *indexes* has *address* and a link."""
    for text, values in ports().items():
        if int(text) in indexes and values.get("address") == address and link(int(text)) == "UP":
            return int(text)
    return None


def wires() -> list[str]:
    """Return the broadcast addresses of the networks that this host is in."""
    found = []
    for line in Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        network, gateway, mask = (int.from_bytes(bytes.fromhex(fields[n]), "little") for n in (1, 2, 7))
        if network and not gateway:
            found.append(str(ipaddress.IPv4Address(network | (~mask & 0xFFFFFFFF))))
    return found


def answers(address: str) -> bool:
    """Ask every host of the lab whether it has *address*."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        wire.settimeout(WAIT_SECONDS)
        try:
            for place in wires():
                wire.sendto(json.dumps({"who_has": address}).encode(), (place, WIRE))
            while True:
                reply = json.loads(wire.recv(512).decode())
                if reply.get("here") == address:
                    return True
        except (OSError, ValueError):
            return False


def reachable(index: int, address: str, indexes: list[int]) -> bool:
    """Tell whether a packet from port *index* to *address* comes back."""
    own = ports().get(str(index))
    if own is None or link(index) != "UP" or address in state.card_fact(index, "unreachable", "").split():
        return False
    network = ipaddress.IPv4Interface("{address}/{netmask}".format(**own)).network
    if ipaddress.IPv4Address(address) not in network and "gateway" not in own:
        return False
    return owner(address, indexes) is not None or answers(address)


def serve(wire: socket.socket, indexes_of: Any) -> None:
    """Answer one question of another host."""
    question, sender = wire.recvfrom(512)
    try:
        address = json.loads(question.decode()).get("who_has", "")
    except (ValueError, AttributeError):
        return
    if owner(address, indexes_of()) is not None:
        wire.sendto(json.dumps({"here": address}).encode(), sender)
