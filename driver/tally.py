"""Counts what happened during a playbook run: times by host and role, and the failures that stand at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from driver.events import ARGUMENTS, ENDS, Event, Failure

SLOWEST = 15
PLAYBOOK = "playbook"  # what a task belongs to that belongs to no role


@dataclass(slots=True)
class Tally:
    """Fed with every event in order; read when the run has ended."""

    stats: dict[str, dict[str, int]] = field(default_factory=dict)
    _failures: dict[str, list[Failure]] = field(default_factory=dict)
    _spans: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    _tasks: dict[str, float] = field(default_factory=dict)
    _changed: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Take one event into account."""
        if event.kind == "playbook_on_stats":
            self.stats = event.stats
        if not event.host:
            return
        if event.role and event.seconds and not event.task.startswith(ARGUMENTS):
            begun, _ = self._spans.get((event.host, event.role), (event.seconds, 0.0))
            self._spans[event.host, event.role] = (begun, event.seconds)
        if event.kind in ENDS:
            name = f"{event.role}: {event.task}" if event.role else event.task
            self._tasks[name] = max(self._tasks.get(name, 0.0), event.took)
        if event.changed and event.kind == "runner_on_ok":
            done = self._changed.setdefault(event.host, {}).setdefault(event.role or PLAYBOOK, [])
            done += [] if event.task in done else [event.task]
        if event.kind in {"runner_on_failed", "runner_on_unreachable"} and not event.ignored:
            failure = Failure(
                event.host,
                event.role,
                event.task,
                event.message,
                event.details,
                event.log_tail,
                "unreachable" in event.kind,
            )
            self._failures.setdefault(event.host, []).append(failure)

    @property
    def failures(self) -> list[Failure]:
        """Return what ended a host's part in the run; a failure that a rescue mended is not one."""
        ended = {*self.stats.get("failures", {}), *self.stats.get("dark", {})}
        if not self.stats:  # killed before the end: nothing says what was rescued
            ended = set(self._failures)
        return [found[-1] for host, found in self._failures.items() if host in ended]

    def seconds_by_role(self) -> dict[str, dict[str, float]]:
        """Return host -> role -> seconds from the role's first event on that host to its last."""
        times: dict[str, dict[str, float]] = {}
        for (host, role), (begun, ended) in self._spans.items():
            times.setdefault(host, {})[role] = round(max(0.0, ended - begun), 1)
        return times

    def changed_by_role(self) -> dict[str, dict[str, list[str]]]:
        """Return host -> role -> the tasks that changed something, or would have in a dry run."""
        return self._changed

    def slowest(self) -> list[tuple[str, float]]:
        """Return the tasks that took longest on any host, longest first."""
        ordered = sorted(self._tasks.items(), key=lambda pair: -pair[1])
        return [(name, round(seconds, 1)) for name, seconds in ordered[:SLOWEST] if seconds >= 1]
