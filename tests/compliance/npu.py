"""What `npu-smi info` says about cards, read anew here: the checks share no code with what they check."""

from __future__ import annotations

import posixpath
import re
from functools import cached_property
from typing import Any

# The vendor forbids two calls at a time, so everybody who calls takes this lock.
LOCK = "/run/provision/npu-smi.lock"
PLACES = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin"
# a tool that waits for a card that died would wait for ever
BOUNDED = "timeout -k 5 60"
HEALTHS = r"OK|Warning|Alarm|Critical|UNKNOWN|Offline"
# | 0     910B2               | OK            | … : number, name (blanks allowed), health
CARD = re.compile(rf"^\|\s*(\d+)\s+([^|\s][^|]*?)\s*\|\s*({HEALTHS})\s*\|", re.MULTILINE)
RUNNING = re.compile(r"Version:\s*(\S+)")
# Get component version(7.8.0.6.201) succeed for deviceId(0), componentType(0).
COMPONENT = re.compile(r"component version\(([^)]+)\)[^\n]*?device_?id\((\d+)\)", re.IGNORECASE)


def firmware_of_cards(text: str) -> dict[str, list[str]]:
    """Return the versions of each card's components, each once and sorted, in what the driver's tool said."""
    found: dict[str, set[str]] = {}
    for version, card in COMPONENT.findall(text):
        found.setdefault(card, set()).add(version.strip())
    return {card: sorted(versions) for card, versions in found.items()}


class Npus:
    """The cards of one host; the command runs when the first check asks."""

    def __init__(self, host: Any) -> None:
        self._host = host

    @cached_property
    def result(self) -> Any:
        folder = posixpath.dirname(LOCK)
        alone = f"exec flock -w 60 {LOCK} {BOUNDED} npu-smi info"
        return self._host.run(f"mkdir -p -m 0755 {folder}; PATH={PLACES}:$PATH {alone}")

    @property
    def said(self) -> str:
        """Return the first line of what it answered, for messages."""
        lines = (self.result.stdout + self.result.stderr).strip().splitlines()
        return f"code {self.result.rc}: {lines[0] if lines else 'no output'}"

    @cached_property
    def cards(self) -> list[tuple[str, str, str]]:
        """Return (number, name, health) of every card."""
        return CARD.findall(self.result.stdout)

    @property
    def running_version(self) -> str:
        """Return the version of the driver that answers, empty when none does."""
        found = RUNNING.search(self.result.stdout)
        return found.group(1) if found else ""
