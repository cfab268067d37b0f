"""Everything that one run did, kept while it runs and written as its report at the end, however it ends."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from driver.errors import ProvisionError
from driver.fleet import Fleet
from driver.plan import Plan
from driver.runs import REPORT, Run

if TYPE_CHECKING:
    from driver.chat import Reply
    from driver.compliance import CheckResult
    from driver.runner import RunResult

LOG = logging.getLogger(__name__)
SCHEMA = 1
INTERRUPTED = 130
VERDICTS = {0: "ok", 4: "unreachable", 5: "failed", 6: "not compliant", INTERRUPTED: "interrupted"}


@dataclass(slots=True)
class Record:
    """What a run knows about itself; `results` has one entry per playbook run, *dry* is one that changes nothing."""

    run: Run
    fleet: Fleet
    plan: Plan | None = None
    left: Plan | None = None
    results: list[RunResult] = field(default_factory=list)
    check: CheckResult | None = None
    replies: list[Reply] = field(default_factory=list)
    exit_code: int = 0
    error: str = ""
    dry: bool = False

    @property
    def acted(self) -> bool:
        """Return whether a playbook ran."""
        return bool(self.results)

    def document(self) -> dict[str, Any]:
        """Return the report as plain data (report.json)."""
        return {
            "schema": SCHEMA,
            "run": self.run.id,
            "verb": self.run.verb,
            "site": self.fleet.name,
            "dry": self.dry,
            "started": self.run.started,
            "seconds": self.run.elapsed(),
            "exit_code": self.exit_code,
            "verdict": VERDICTS.get(self.exit_code, "error"),
            "error": self.error,
            "stages": [{"name": stage.name, "seconds": stage.seconds} for stage in self.run.stages],
            "hosts": {host.name: self._host(host.name) for host in self.fleet.hosts},
            "plan": self.plan.as_json() if self.plan else None,
            "left": self.left.as_json() if self.left else None,
            "failures": [asdict(failure) for result in self.results for failure in result.failures],
            "slowest": [list(pair) for result in self.results for pair in result.slowest],
            "check": self.check.as_json() if self.check else None,
            "answers": [asdict(reply) for reply in self.replies],
        }

    def _host(self, name: str) -> dict[str, Any]:
        roles: dict[str, float] = {}
        for result in self.results:
            for role, seconds in result.seconds.get(name, {}).items():
                roles[role] = round(roles.get(role, 0.0) + seconds, 1)
        changes = [asdict(change) for change in self.plan.of(name)] if self.plan else []
        changed = sum(result.changed.get(name, 0) for result in self.results)
        return {
            "address": self.fleet.host(name).address,
            "state": self._state(name),
            "roles": roles,
            "changes": changes,
            "tasks": self._tasks(name),
            "tasks_changed": changed,
        }

    def _tasks(self, name: str) -> dict[str, list[str]]:
        """Return the tasks that changed the host, by role; a dry run and the run after it can be laid side by side."""
        found: dict[str, list[str]] = {}
        for result in self.results:
            for role, tasks in result.tasks.get(name, {}).items():
                found[role] = list(dict.fromkeys([*found.get(role, []), *tasks]))
        return found

    def _state(self, name: str) -> str:
        if any(name in result.unreachable for result in self.results):
            return "unreachable"
        if any(name in result.failed for result in self.results) or (self.left and name in self.left.drifting):
            return "failed"
        red = self.check is not None and any(check.host == name for check in self.check.failed)
        return "not compliant" if red else "ok"


@contextmanager
def recorded(record: Record) -> Iterator[None]:
    """Write the report when the block is left, however it is left.

    An error that the operator can act on ends the block and is kept in the record, with the exit code that it owns;
    a fault of ours is written down and goes on its way.
    """
    try:
        yield
    except ProvisionError as error:
        record.exit_code, record.error = error.exit_code, str(error)
    except KeyboardInterrupt:
        record.exit_code, record.error = INTERRUPTED, "stopped; nothing was being changed"
    except BaseException as error:
        record.exit_code, record.error = 1, f"{type(error).__name__}: {error}"
        raise
    finally:
        write(record)


def write(record: Record) -> None:
    """Write report.json; the page report.html too when the run has something to show on it."""
    document = record.document()
    record.run.file(REPORT).write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    if record.acted or record.check or record.exit_code:
        from driver.report import write_page  # Jinja is slow to import

        write_page(document, record.run.folder)
