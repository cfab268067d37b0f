"""Passes by an upstream that is slow: another is tried, and stays only where it brings more."""

from __future__ import annotations

import threading
import time
from typing import Any, Dict, Optional, Tuple

from . import client
from .errors import SourceError
from .job import RECEIVING, Job
from .sources import Source

TRIAL_LOOKS = 4
BETTER = 1.3
AHEAD_LOOKS = 2
# Who has no more than we is slow only because somebody before it is: it gets the time to pass that one by itself.
LOOKS_AT_STARVED = 6
AHEAD_BYTES = 32 << 20
LOOKS = 2
# Who has no more than we is slow only because somebody before it is: it gets the time to pass that one by itself.
LOOKS_AT_STARVED = 6


class Watch:
    """Watches the rate of one job."""

    def __init__(self, job: Job, settings: Dict[str, Any]) -> None:
        """Take what is slow in megabits a second from *settings*."""
        self.job = job
        self.floor = float(settings["slow_mbit"]) * 1e6 / 8
        self.seconds = float(settings["look_seconds"])
        self._last = (time.monotonic(), 0)
        self._suspicious = 0
        self._using: Optional[Source] = None
        self._trial: Optional[Tuple[Source, Source, float, int]] = None
        self._thread: Optional[threading.Thread] = None

    def look(self) -> None:
        """Look now and then, without holding up the caller."""
        now, (then, before) = time.monotonic(), self._last
        if self.job.state != RECEIVING or now - then < self.seconds or (self._thread and self._thread.is_alive()):
            return
        received = sum(self.job.senders.values())
        self._last = (now, received)
        self._thread = threading.Thread(target=self._judge, args=((received - before) / (now - then),), daemon=True)
        self._thread.start()

    def _judge(self, rate: float) -> None:
        self.job.sources.look_at_fallen()
        if self._trial:
            self._end_trial(rate)
            return
        upward = [source for source in self.job.sources.all if not source.behind and not source.banned]
        now = time.monotonic()
        usable = [source for source in upward if not (source.slow or source.down) and source.not_before <= now]
        using = next((source for source in usable if source.name == self.job.current), None)
        others = usable[usable.index(using) + 1 :] if using else []
        if using is not self._using:
            self._using, self._suspicious = using, -1  # the last look was about somebody else
        if using is None or using.tried or not others or not self._ahead(others[0], rate):
            self._suspicious = 0
            return
        self._suspicious += 1
        starved = self._lead(using, rate)[0] <= 0
        if self._suspicious >= (LOOKS_AT_STARVED if starved else LOOKS):
            self._suspicious = 0
            self._trial = (using, others[0], rate, 0)
            using.slow = True
            using.turn += 1
            self.job.note(
                f"{using.name} is slow ({rate * 8 / 1e6:.0f} Mbit/s) and {others[0].name} has more: it is tried"
            )

    def _ahead(self, other: Source, rate: float) -> bool:
        """Return whether *other* could bring more than *rate*: it has more than we, and gets it faster or we crawl."""
        lead, theirs = self._lead(other, rate)
        return lead > 0 and (rate < self.floor or rate < theirs / 2)

    def _lead(self, other: Source, rate: float) -> Tuple[float, float]:
        """Return how many bytes *other* has more than we, beyond what is usual in a line, and its rate."""
        have, theirs = self.job.total, 0.0
        if not other.plain:
            try:
                sets = client.status(other.where, self.job.sources.access).get("sets") or []
            except SourceError:
                return 0, 0
            found: Dict[str, Any] = next((each for each in sets if each.get("id") == self.job.id), {})
            have, theirs = int(found.get("have") or 0), float(found.get("rate") or 0)
        usual = max(min(AHEAD_BYTES, self.job.total / 20), AHEAD_LOOKS * self.seconds * rate)
        return have - self.job.have() - usual, theirs

    def _end_trial(self, rate: float) -> None:
        """Judge by the last look only: what came before may still have been from the slow one."""
        slow, other, before, looks = self._trial or (None, None, 0.0, 0)
        if slow is None or other is None:
            return
        if looks + 1 < TRIAL_LOOKS:
            self._trial = (slow, other, before, looks + 1)
            return
        self._trial = None
        slow.tried = True
        if rate >= before * BETTER:
            self.job.note(f"{other.name} brings {rate * 8 / 1e6:.0f} Mbit/s and stays instead of {slow.name}")
            return
        self.job.note(f"{other.name} is no faster; {slow.name} is asked again")
        slow.slow = False
        other.turn += 1
