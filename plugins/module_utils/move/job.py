"""One set on this host: what is asked, how far it is, who sent how much, what went wrong."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Set, Tuple

from .client import Access
from .errors import MoveError
from .files import WHOLE, File, files_of, size_of
from .sources import Source, Sources

LOG = logging.getLogger(__name__)
NOTES = 40
WINDOW_SECONDS = 10.0
GRACE_PAUSE_SECONDS = 0.3
RECEIVING, DONE, FAILED, HOLDING = "receiving", "done", "failed", "holding"


def set_id(entries: List[Dict[str, Any]]) -> str:
    """Return the id of a set: the sha256 of the canonical JSON of its files."""
    canonical = json.dumps(entries, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


class Job:
    """A set that is received or held."""

    def __init__(self, described: Dict[str, Any], settings: Dict[str, Any], access: Access) -> None:
        """Take *described* from the configuration *settings*. Raises MoveError when it cannot be."""
        self.described = described
        self.name = str(described["name"])
        self.id = set_id(described["files"])
        self.files = files_of(described)
        self.total = sum(file.size for file in self.files)
        self.whole = set(described.get("whole") or [])
        self.sources = Sources(described.get("upstreams") or [], settings, access)
        self.state = HOLDING if described["mode"] == "hold" else RECEIVING
        self.fault = ""
        self.notes: List[str] = []
        self.restarts = 0
        self.banned: Set[str] = set()
        self.senders: Dict[str, int] = {}
        self.current = ""
        self.checking = ""
        self.active = 0
        self.left: List[File] = list(self.files) if self.state == RECEIVING else []
        self._began = time.monotonic()
        self._seconds = 0.0
        self._moved = self._began
        self._told = ""
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._seen: Deque[Tuple[float, int]] = deque()

    # what the receiving threads tell

    def ended(self) -> bool:
        """Return whether going on is useless."""
        return self._over.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, but not after the end."""
        self._over.wait(seconds)

    def got(self, name: str, count: int) -> None:
        """Count what *name* sent."""
        self.checking = ""
        self._moved = time.monotonic()
        with self._lock:
            self.senders[name] = self.senders.get(name, 0) + count
        self.sources.hope()

    def note(self, text: str) -> None:
        """Keep a sentence for the report."""
        LOG.warning("%s: %s", self.name, text)
        if text not in self.notes and len(self.notes) < NOTES:
            self.notes.append(text)

    def from_now(self, source: Source) -> None:
        """Say so when the files come from somebody else than before."""
        if source.banned or source.name == self.current:
            return
        before = self.current or self.sources.all[0].name
        fault = next((each.fault for each in self.sources.all if each.name == before), "")
        if before != source.name:
            self.note(f"from {source.name} now instead of {before}" + (f" ({fault})" if fault else ""))
        self.current = source.name

    def fell(self, source: Source, reason: str) -> None:
        """Leave *source* alone for a while; one that may still be starting is asked again soon."""
        source.failed(reason, down=True)
        if self.sources.in_grace(source):
            source.fails = 0
            source.not_before = time.monotonic() + GRACE_PAUSE_SECONDS
        elif source.fails == 1:
            LOG.warning("%s: %s %s", self.name, source.name, reason)

    def ban(self, name: str, reason: str) -> None:
        """Never ask *name* again."""
        self.note(f"{name} {reason}. It is not asked again")
        self.banned.add(name)
        for source in self.sources.all:
            if source.name == name:
                source.ban(reason)

    def despair(self) -> None:
        """End the job when nobody can help any more. Raises MoveError."""
        verdict = self.sources.verdict()
        if verdict:
            raise MoveError(verdict)

    # what the agent asks

    def begin(self) -> None:
        """Look whether there is room for the rest. Raises MoveError."""
        rest = 0
        for file in self.files:
            if size_of(file.final) != file.size:
                rest += file.size - max(0, size_of(file.part))
        place = self.described["folder"]
        while not os.path.isdir(place):
            place = os.path.dirname(place)
        room = os.statvfs(place)
        free = room.f_bavail * room.f_frsize
        if self.state == RECEIVING and rest > free:
            raise MoveError(
                f"{self.described['folder']} has {free} bytes free, expected {rest} for the rest of {self.name}: "
                "make room, or choose another path in site.yml"
            )

    def finished(self) -> None:
        """End the job when the last file is in its place."""
        with self._lock:
            if self.state == RECEIVING and all(file.state == WHOLE for file in self.files):
                self._end(DONE)

    def changed(self) -> bool:
        """Return whether the state is another than when this was asked last."""
        before, self._told = self._told, self.state
        return before != self.state

    def fail(self, reason: str) -> None:
        """End the job; its readers are sent elsewhere."""
        if self.state == RECEIVING:
            self.fault = reason
            LOG.error("%s: %s", self.name, reason)
            self._end(FAILED)
            for file in self.files:
                if file.state != WHOLE:
                    file.failed()

    def lose_patience(self, seconds: float) -> None:
        """End the job when nothing has come for *seconds*: whoever was to have it is alive, and its module is gone."""
        if time.monotonic() - self._moved > seconds:
            self.fail(f"nothing has come for {seconds:.0f} s, although {self.current or 'a host'} says that it will")

    def stop(self) -> None:
        """End the threads of this job."""
        self._over.set()

    def _end(self, state: str) -> None:
        self._seconds = time.monotonic() - self._began
        self.state = state
        self._over.set()

    def have(self) -> int:
        """Return how many bytes of the set are here, verified or not."""
        if self.state == HOLDING:
            for file in self.files:
                file.look()
        return sum(file.have for file in self.files)

    def rate(self) -> float:
        """Return the bytes a second of the last while."""
        now, received = time.monotonic(), sum(self.senders.values())
        self._seen.append((now, received))
        while len(self._seen) > 2 and self._seen[1][0] < now - WINDOW_SECONDS:
            self._seen.popleft()
        first = self._seen[0]
        return (received - first[1]) / (now - first[0]) if now - first[0] > 0.5 else 0.0

    def report(self) -> Dict[str, Any]:
        """Return what the status file says of this set."""
        ended = self.state in {DONE, FAILED}
        return {
            "id": self.id,
            "name": self.name,
            "asked": self.described.get("asked"),
            "state": self.state,
            "have": self.have(),
            "total": self.total,
            "rate": 0 if ended else round(self.rate()),
            "seconds": round(self._seconds if ended else time.monotonic() - self._began, 2),
            "current": self.current,
            "checking": self.checking,
            "from": dict(self.senders),
            "restarts": self.restarts,
            "notes": list(self.notes),
            "fault": self.fault,
        }


def next_file(jobs: List[Job]) -> Optional[Tuple[Job, File]]:
    """Return what a thread that has nothing to do should receive; sets one after the other."""
    for job in jobs:
        if job.state == RECEIVING and not job.ended() and job.left:
            job.active += 1
            return job, job.left.pop(0)
    return None
