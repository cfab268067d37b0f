"""Whom a host asks for a set: the order, who is well, who is waited for, who is never asked again."""

from __future__ import annotations

import threading
import time
from typing import Any, Dict, List, Optional

from . import client
from .client import Access
from .errors import SourceError
from .files import File

LONGEST_PAUSE = 30.0
FIRST_PAUSE = 0.5
NOT_ASKED = "not asked"


class Source:
    """One upstream and what was seen of it."""

    def __init__(self, upstream: Dict[str, Any], port: int) -> None:
        """Describe *upstream*; *port* is what members use."""
        self.where = client.address_of(upstream, port)
        self.name = self.where.name
        self.plain = bool(self.where.base)  # any server of files: knows nothing of generations, states and waiting
        self.behind = bool(upstream.get("behind"))
        self.heard = False
        self.banned = ""
        self.fault = NOT_ASKED
        self.down = False  # not chosen by a stream again before a look from aside has seen it answer
        self.slow = False
        self.tried = False
        self.turn = 0  # streams leave when this changes
        self.fails = 0
        self.not_before = 0.0

    def well(self) -> None:
        """Note that it answers."""
        self.heard, self.down, self.fails, self.fault = True, False, 0, ""

    def failed(self, reason: str, down: bool = False) -> None:
        """Leave it alone for a while, longer each time."""
        self.fails += 1
        self.down = self.down or (down and not self.plain)
        self.fault = reason
        self.not_before = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.fails, 8))

    def ban(self, reason: str) -> None:
        """Never ask it again."""
        self.banned = self.banned or reason
        self.turn += 1


class Sources:
    """The upstreams of one set, nearest first."""

    def __init__(self, upstreams: List[Dict[str, Any]], settings: Dict[str, Any], access: Access) -> None:
        """Begin to wait for them now."""
        self.all = [Source(upstream, settings["port"]) for upstream in upstreams]
        self.access = access
        self.stall_seconds = float(settings["stall_seconds"])
        self._grace_ends = time.monotonic() + float(settings["grace_seconds"])
        self._give_up = float(settings["give_up_seconds"])
        self._hope = self._grace_ends
        self._lock = threading.Lock()

    def in_grace(self, source: Source) -> bool:
        """Return whether *source* may still be starting: a play reaches its hosts one after the other."""
        return not source.heard and time.monotonic() < self._grace_ends

    def choose(self, file: File) -> Optional[Source]:
        """Return whom to ask for more of *file* now, None when that is nobody at the moment."""
        now = time.monotonic()
        upward = [source for source in self.all if not source.behind and not source.banned]
        for source in sorted(upward, key=lambda each: each.slow):
            if self.in_grace(source):
                return source if now >= source.not_before else None
            if now >= source.not_before and not source.down:
                return source
        return self._from_behind(file, now)

    def _from_behind(self, file: File, now: float) -> Optional[Source]:
        """Return a host further down the line that has more of *file* than we: nobody waits for those."""
        for source in self.all:
            if source.behind and not source.banned and now >= source.not_before:
                try:
                    have = client.reach(source.where, self.access, file.key).have
                except SourceError as error:
                    source.failed(str(error))
                    continue
                if have > file.have or have == file.size:
                    return source
                source.not_before = now + 2 * FIRST_PAUSE
                source.fault = f"has {have} bytes of {file.path}, no more than this host"
        return None

    def look_at_fallen(self) -> None:
        """See whether somebody who did not answer does so again; no stream has to wait for that."""
        for source in self.all:
            if source.down and time.monotonic() >= source.not_before and not self.in_grace(source):
                try:
                    client.status(source.where, self.access)
                    source.down = False
                except SourceError as error:
                    source.failed(str(error))

    def hope(self, since: float = 0.0) -> None:
        """Note that somebody can help, or could until *since* seconds ago."""
        with self._lock:
            self._hope = max(self._hope, time.monotonic() - since)

    def hopeless_seconds(self) -> float:
        """Return for how long nobody has been able to help."""
        return max(0.0, time.monotonic() - self._hope)

    def too_long(self, hope: float) -> bool:
        """Return whether a host that has been without help for *hope* seconds is no help to us."""
        return hope > self._give_up / 2

    def verdict(self) -> str:
        """Return why going on is useless, "" when it is not."""
        asked = [source for source in self.all if not source.behind]
        reasons = "; ".join(f"{source.name} ({source.where.host}): {source.banned or source.fault}" for source in asked)
        if not self.all:
            return "nobody is named who could have it"
        if all(source.banned for source in self.all):
            return f"nobody is left to ask: {reasons}"
        if any(source.fault == NOT_ASKED for source in asked):
            return ""
        silent = self.hopeless_seconds()
        return f"nobody could give more for {silent:.0f} s: {reasons}" if silent > self._give_up else ""
