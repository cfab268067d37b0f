"""What `npu-smi info` says about cards, read anew here: the checks share no code with what they check."""

from __future__ import annotations

import posixpath
import re
from functools import cached_property
from typing import Any

from tests.compliance import judge

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


BEFORE_RELEASE = ("alpha", "beta", "rc")


def order(version: str) -> list[tuple[int, int]]:
    """Return what *version* sorts by: a candidate comes before its release, a patch behind it; a build is left out."""
    words = re.findall(r"\d+|[a-z]+", judge.BUILD.sub("", version.strip().lower().removeprefix("v")))
    ranks = [(2, int(word)) if word.isdigit() else (0, 0) if word in BEFORE_RELEASE else (3, 0) for word in words]
    return [*ranks, (1, 0)]


def good_version(host: Any, subject: str, expected: dict[str, Any], role: str, found: str) -> None:
    """Fail unless *found* is the version of the inventory, or lies between the oldest that the site accepts and it."""
    wanted, accepted = expected[f"{role}_version"], expected.get(f"{role}_version_accepted") or ""
    between = bool(accepted) and order(accepted) <= order(found) <= order(wanted)
    words = f"{wanted}, or any from {accepted} on" if accepted else wanted
    judge.true(host, subject, between or judge.is_same_version(wanted, found), words, found)


def installed_version(host: Any, place: str) -> str:
    """Return what the version.info at *place* says; fail when there is none."""
    found = re.search(r"(?m)^\s*Version\s*=\s*(\S+)", judge.content(host, place))
    return found.group(1) if found else "a file without Version="


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
