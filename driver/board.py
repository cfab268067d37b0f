"""What every host is doing right now, from the events of a run and the byte counts that hosts report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from driver.events import ENDS, Event
from driver.units import duration, size

Clock = Callable[[], float]


@dataclass(slots=True)
class Moving:
    """A transfer on one host; bytes, and bytes per second since it was first seen."""

    what: str
    done: int
    total: int
    first_done: int
    first_seen: float
    seen: float

    @property
    def rate(self) -> float:
        """Return bytes per second, 0 until two reports are known."""
        span = self.seen - self.first_seen
        return (self.done - self.first_done) / span if span > 0 else 0.0

    def text(self) -> str:
        """Return the transfer as words."""
        words = f"{self.what} {size(self.done)}"
        if self.total:
            words += f" of {size(self.total)} ({100 * self.done // self.total} %)"
        return f"{words} at {size(self.rate)}/s" if self.rate > 0 else words


@dataclass(slots=True)
class HostLine:
    """The line of one host: its step, since when, what it has done so far."""

    host: str
    role: str = ""
    task: str = ""
    since: float = 0.0
    running: bool = False
    changed: int = 0
    finished: int = 0
    state: str = "waiting"
    moving: dict[str, Moving] = field(default_factory=dict)

    def step(self) -> str:
        """Return role and task as words."""
        return f"{self.role}: {self.task}" if self.role else self.task


@dataclass(slots=True)
class Board:
    """The lines of all hosts; `clock` gives seconds and is replaced in tests."""

    hosts: Iterable[str]
    clock: Clock = time.monotonic
    lines: dict[str, HostLine] = field(init=False)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        """Give every host its line."""
        self.lines = {host: HostLine(host) for host in self.hosts}
        self.began = self.clock()

    def elapsed(self) -> float:
        """Return the seconds since the run began."""
        return self.clock() - self.began

    def take(self, event: Event) -> None:
        """Take one event of the run into account."""
        if not event.host:
            return
        line = self.lines.setdefault(event.host, HostLine(event.host))
        if event.kind == "runner_on_start":
            line.role, line.task, line.since, line.running, line.state = (
                event.role,
                event.task,
                self.clock(),
                True,
                "working",
            )
            line.moving.clear()
        if event.kind in ENDS:
            line.running = False
            line.finished += 1
            line.changed += event.changed
            line.moving.clear()
            ended = ENDS[event.kind]
            if ended in {"failed", "unreachable"} and not event.ignored:
                line.state = ended
            elif line.state in {"failed", "unreachable"}:
                line.state = "working"  # a rescue goes on where the failure stood

    def moved(self, host: str, what: str, done: int, total: int) -> None:
        """Take a host's report of a transfer into account."""
        moving = self.lines[host].moving
        known = moving.get(what)
        if known is None or done < known.done:
            moving[what] = Moving(what, done, total, done, self.clock(), self.clock())
        else:
            known.done, known.total, known.seen = done, total, self.clock()

    def slow(self, seconds: float) -> list[str]:
        """Return the hosts whose present task has run for at least *seconds*."""
        return [host for host, line in self.lines.items() if line.running and self.clock() - line.since >= seconds]

    def words(self, line: HostLine) -> str:
        """Return what a host is doing, for how long, and what it is moving."""
        words = f"{line.step()} ({duration(self.clock() - line.since)})"
        return "; ".join([words, *(moving.text() for moving in list(line.moving.values()))])
