"""What hccn_tool says about the network ports of the chips, read anew here: the checks share no code with the roles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

QUESTIONS = ("ip", "gateway", "netdetect", "link", "net_health", "tls")
LANES = 4  # so many devices are asked side by side
BOUNDED = "timeout -k 5 20"
NUMBER = r"(\d+(?:\.\d+){3})"
FACTS = {
    "address": ("ip", re.compile(rf"ipaddr:\s*{NUMBER}")),
    "netmask": ("ip", re.compile(rf"netmask:\s*{NUMBER}")),
    "gateway": ("gateway", re.compile(rf"gateway:\s*{NUMBER}")),
    "netdetect": ("netdetect", re.compile(rf"netdetect address:\s*{NUMBER}")),
    "link": ("link", re.compile(r"link status:\s*(\w+)")),
    "health": ("net_health", re.compile(r"net health status:\s*(.*\S)")),
    "tls": ("tls", re.compile(r"tls switch\[([01])\]")),
}
SWITCH_PORT = re.compile(r"Ifname:\s*(\S+)")
SWITCHES = {"0": "off", "1": "on"}
UNKNOWN = "unknown"


def understood(text: str) -> dict[int, dict[str, str]]:
    """Return the facts of each device in the answers to all questions, each line behind `DEVICE QUESTION `."""
    said: dict[tuple[int, str], str] = {}
    for line in text.splitlines():
        number, question, rest = line.split(" ", 2)
        said[int(number), question] = f"{said.get((int(number), question), '')}{rest}\n"
    found: dict[int, dict[str, str]] = {}
    for number in sorted({number for number, _ in said}):
        port = found[number] = dict.fromkeys(FACTS, "")
        for name, (question, pattern) in FACTS.items():
            match = pattern.search(said.get((number, question), ""))
            port[name] = match.group(1) if match else ""
        # without certificates TLS cannot be on
        bare = "no certificate found" in said.get((number, "tls"), "").lower()
        port["tls"] = SWITCHES.get(port["tls"] or ("0" if bare else ""), UNKNOWN)
    return found


class Ports:
    """The ports of one host; the tool is asked when the first check wants to know."""

    def __init__(self, host: Any, expected: Mapping[str, Any]) -> None:
        self._host, self._expected = host, expected

    @property
    def tool(self) -> str:
        return f"{self._expected['npu_network_install_path']}/driver/tools/hccn_tool"

    @cached_property
    def found(self) -> dict[int, dict[str, str]]:
        """Return the facts of each device of the inventory; empty texts where the tool gave none."""
        numbers = [str(entry["device"]) for entry in self._expected["npu_network_devices"]]
        ask = f'{BOUNDED} {self.tool} -i $i -$q -g 2>&1 | sed "s/^/$i $q /"'
        each = f"for q in {' '.join(QUESTIONS)}; do {ask}; done"
        lanes = [lane for lane in (numbers[first::LANES] for first in range(LANES)) if lane]
        side_by_side = " ".join(f"(for i in {' '.join(lane)}; do {each}; done) &" for lane in lanes)
        silent = {int(number): {**dict.fromkeys(FACTS, ""), "tls": UNKNOWN} for number in numbers}
        return {**silent, **understood(self._host.run(f"{side_by_side} wait").stdout)}

    def switch_port(self, number: int) -> str:
        """Return the name of the switch port that device *number* is plugged into, "" when it has not heard of one."""
        found = SWITCH_PORT.search(self._host.run(f"{BOUNDED} {self.tool} -i {number} -lldp -g").stdout)
        return found.group(1) if found else ""

    def switches(self) -> dict[int, str]:
        """Return the TLS switch of each device."""
        return {number: port["tls"] for number, port in self.found.items()}


def most_switches(switches: Mapping[str, Mapping[int, str]]) -> str:
    """Return the TLS switch of most ports that tell one, UNKNOWN when none does."""
    count = Counter(value for ports in switches.values() for value in ports.values() if value != UNKNOWN)
    return count.most_common(1)[0][0] if count else UNKNOWN


def other_switches(ports: Mapping[int, str], wanted: str) -> list[str]:
    """Return the ports that are not as *wanted*; one that does not tell is none that agrees."""
    return [f"device {number}: {value}" for number, value in ports.items() if value == UNKNOWN or value != wanted]


def odd_switches(switches: Mapping[str, Mapping[int, str]], name: str) -> tuple[str, str]:
    """Return the TLS switch of most ports of the site, and which ports of host *name* are otherwise ("" for none)."""
    most = most_switches(switches)
    return most, ", ".join(other_switches(switches[name], most))
