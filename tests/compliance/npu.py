"""What `npu-smi info` says about cards, read anew here: the checks share no code with what they check."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

# The vendor forbids two calls at a time, so everybody who calls takes this lock.
LOCK = "/run/lock/provision-npu-smi.lock"
PLACES = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin"
HEALTHS = r"OK|Warning|Alarm|Critical|UNKNOWN|Offline"
# | 0     910B2               | OK            | … : number, name (blanks allowed), health
CARD = re.compile(rf"^\|\s*(\d+)\s+([^|\s][^|]*?)\s*\|\s*({HEALTHS})\s*\|", re.MULTILINE)
RUNNING = re.compile(r"Version:\s*(\S+)")


class Npus:
    """The cards of one host; the command runs when the first check asks."""

    def __init__(self, host: Any) -> None:
        self._host = host

    @cached_property
    def result(self) -> Any:
        return self._host.run(f"PATH={PLACES}:$PATH exec flock -w 60 {LOCK} npu-smi info")

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
