"""Ansible's events, reduced to what a person needs: who, what, since when, how it ended, and why not."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from driver.scrub import scrub

ENDS = {
    "runner_on_ok": "ok",
    "runner_on_skipped": "skipped",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
}
KEPT = {
    *ENDS,
    "runner_on_start",
    "runner_retry",
    "playbook_on_play_start",
    "playbook_on_task_start",
    "playbook_on_stats",
}
ARGUMENTS = "Validating arguments"  # Ansible's own task in front of a role, which then may find nothing to do
TEXT_LIMIT = 8000
TAIL_LINES = 20
NO_TRACEBACK = "(traceback unavailable)"
MESSAGE_LINES = 5
MOVES = ("fetched", "moved")  # keys of results of our modules that move files: lists of {name, notes, …}


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run; `seconds` is the time since 1970, `took` the task's own time, both 0 when unknown.

    `notes` say what went another way than it was meant to, and ended well all the same.
    """

    kind: str
    seconds: float
    host: str = ""
    play: str = ""
    role: str = ""
    task: str = ""
    took: float = 0.0
    changed: bool = False
    ignored: bool = False
    message: str = ""
    details: str = ""
    log_tail: str = ""
    notes: tuple[str, ...] = ()
    stats: dict[str, dict[str, int]] = field(default_factory=dict)

    def line(self) -> str:
        """Return the event as one compact line of JSON; empty values are left out."""
        known = {key: value for key, value in asdict(self).items() if value not in ("", 0.0, False, {}, ())}
        return json.dumps(known, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """One task that failed on one host, and what it left behind to read."""

    host: str
    role: str
    task: str
    message: str
    details: str = ""
    log_tail: str = ""
    unreachable: bool = False

    def text(self, log: str = "") -> str:
        """Return the failure as a person wants it: host and step, five lines of message, the vendor's log."""
        where = f"{self.host}: {self.role}: {self.task}" if self.role else f"{self.host}: {self.task}"
        lines = [where, *_indented(self.message, MESSAGE_LINES)]
        if self.details and self.details.strip() != self.message.strip():
            lines += _indented(self.details, MESSAGE_LINES)
        if self.log_tail:
            lines += ["  last lines of the log:", *_indented(self.log_tail, TAIL_LINES, "    ")]
        if log:
            lines.append(f"  everything: {log}")
        return "\n".join(lines)


def _indented(text: str, limit: int, by: str = "  ") -> list[str]:
    lines = [line.rstrip() for line in text.strip().splitlines() if line.strip()]
    return [f"{by}{line}" for line in lines[-limit:]]


def compact(raw: dict[str, Any]) -> Event | None:
    """Return the part of ansible-runner's event *raw* that is worth keeping, None when there is none."""
    kind = raw.get("event", "")
    if kind not in KEPT:
        return None
    data = raw.get("event_data") or {}
    found = data.get("res")
    result: dict[str, Any] = found if isinstance(found, dict) else {}
    bad = kind in {"runner_on_failed", "runner_on_unreachable", "runner_retry"}
    message, details = _why(result) if bad else ("", "")
    return Event(
        kind=kind,
        seconds=_seconds(raw.get("created", "")),
        host=data.get("host", ""),
        play=data.get("play", "") if isinstance(data.get("play"), str) else "",
        role=data.get("role") or _role_of_action(data),
        task=data.get("task", "") if isinstance(data.get("task"), str) else "",
        took=round(float(data.get("duration") or 0), 3),
        changed=bool(result.get("changed")),
        ignored=bool(data.get("ignore_errors")),
        message=_clean(message),
        details=_clean(details),
        log_tail=_clean(_lines(result.get("log_tail"))) if bad else "",
        notes=() if bad else tuple(_clean(note) for note in _notes(result)),
        stats=_stats(data) if kind == "playbook_on_stats" else {},
    )


def _role_of_action(data: dict[str, Any]) -> str:
    action = str(data.get("resolved_action") or data.get("task_action") or "").rpartition(".")[2]
    return "reboot" if action == "reboot" else ""


def _seconds(created: str) -> float:
    try:
        return datetime.fromisoformat(created).timestamp()
    except ValueError:
        return 0.0


def _why(result: dict[str, Any]) -> tuple[str, str]:
    """Return message and details of a failed result; a loop's failed items speak for the loop."""
    items = [item for item in result.get("results", []) if isinstance(item, dict) and item.get("failed")]
    if items:
        pairs = [_why(item) for item in items]
        return "\n".join(message for message, _ in pairs), "\n".join(details for _, details in pairs if details)
    message = _lines(result.get("msg")) or _lines(result.get("reason")) or "the task failed and gave no reason"
    if result.get("rc") not in {None, 0} and "rc" not in message:
        command = result.get("cmd")
        words = " ".join(map(str, command)) if isinstance(command, list) else str(command or "")
        message = f"{message} (rc {result['rc']}{': ' + words[:200] if words else ''})"
    streams = [_lines(result.get(name)) for name in ("stderr", "module_stderr", "exception", "stdout", "module_stdout")]
    details = next((text for text in streams if text.strip() and text != NO_TRACEBACK), "")
    return message, details


def _notes(result: dict[str, Any]) -> list[str]:
    """Return what hosts that move files had to do otherwise: who was passed by, and why; each once."""
    notes = []
    for one in [result, *(item for item in result.get("results") or [] if isinstance(item, dict))]:
        lists = [found for found in map(one.get, MOVES) if isinstance(found, list)]
        moves = [each for found in lists for each in found if isinstance(each, dict)]
        notes += [str(note) for each in moves for note in each.get("notes") or []]
        notes += [str(text) for text in one.get("warnings") or [] if moves]
    return list(dict.fromkeys(notes))


def _lines(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def _clean(text: str) -> str:
    return scrub(text[-TEXT_LIMIT:])


def _stats(data: dict[str, Any]) -> dict[str, dict[str, int]]:
    names = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored")
    return {name: dict(data.get(name) or {}) for name in names}
