"""What every host is doing right now, from the events of a run and the byte counts that hosts report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from driver.events import ENDS, Event
from driver.units import duration, size

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Report:
    """What a host says of one long step: a key for the step, words, bytes done, bytes in all (0: unknown)."""

    key: str
    what: str
    done: int
    total: int


@dataclass(slots=True)
class Moving:
    """A long step on one host: its last report, and since when which bytes are known, for the rate."""

    last: Report
    first_done: int
    first_seen: float
    seen: float

    @property
    def rate(self) -> float:
        """Return bytes per second, 0 until two reports are known."""
        span = self.seen - self.first_seen
        return (self.last.done - self.first_done) / span if span > 0 else 0.0

    def text(self) -> str:
        """Return the step as words, the numbers first: a narrow column cuts the end off."""
        if not self.last.done and not self.last.total:
            return self.last.what
        words = size(self.last.done)
        if self.last.total:
            words += f" of {size(self.last.total)} ({100 * self.last.done // self.last.total} %)"
        return f"{words}{_pace(self.rate, self.last.total - self.last.done)}, {self.last.what}"


def _pace(rate: float, rest: int) -> str:
    """Return the rate, and the time that the *rest* of the bytes takes at it, as the end of a sentence."""
    if rate <= 0:
        return ""
    return f" at {size(rate)}/s" + (f", {duration(rest / rate)} left" if rest > 0 else "")


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
            line.moving = {}
        if event.kind in ENDS:
            line.running = False
            line.finished += 1
            line.changed += event.changed
            line.moving = {}
            ended = ENDS[event.kind]
            if ended in {"failed", "unreachable"} and not event.ignored:
                line.state = ended
            elif line.state in {"failed", "unreachable"}:
                line.state = "working"  # a rescue goes on where the failure stood

    def reported(self, host: str, reports: Iterable[Report]) -> None:
        """Take what a host says of its long steps into account; steps that it no longer names have ended."""
        line, now = self.lines[host], self.clock()
        moving: dict[str, Moving] = {}
        for report in reports:
            known = line.moving.get(report.key)
            if known is None or report.done < known.last.done:
                moving[report.key] = Moving(report, report.done, now, now)
            else:
                moving[report.key] = Moving(report, known.first_done, known.first_seen, now)
        line.moving = moving

    def slow(self, seconds: float) -> list[str]:
        """Return the hosts whose present task has run for at least *seconds*."""
        return [host for host, line in self.lines.items() if line.running and self.clock() - line.since >= seconds]

    def together(self) -> str:
        """Return what all hosts are moving together, "" when fewer than two are known to."""
        busy = [line for line in self.lines.values() if any(each.last.total for each in line.moving.values())]
        if len(busy) <= 1:
            return ""
        moving = [each for line in busy for each in line.moving.values() if each.last.total]
        done, total = sum(each.last.done for each in moving), sum(each.last.total for each in moving)
        pace = _pace(sum(each.rate for each in moving), total - done)
        return f"{len(busy)} hosts: {size(done)} of {size(total)} ({100 * done // total} %){pace}"

    def words(self, line: HostLine) -> str:
        """Return what a host is doing, for how long, and what it is moving."""
        words = f"{line.step()} ({duration(self.clock() - line.since)})"
        return "; ".join([words, *(moving.text() for moving in line.moving.values())])
