"""The plan as a person reads it."""

from __future__ import annotations

from driver.plan import Plan
from driver.table import table
from driver.units import count, size

SHOWN = 60


def text(plan: Plan, width: int) -> str:
    """Return the plan as a table and a summary, or the sentence that there is no drift; *width* as in table()."""
    parts = [f"not understood on {host}: {what}\n" for host, what in plan.not_understood]
    if not plan.changes:
        verb = "is" if len(plan.hosts) == 1 else "are"
        return "".join(
            [*parts, f"no drift: {count(len(plan.hosts), 'host')} of site {plan.site} {verb} what the site says\n"]
        )
    rows = [
        [
            change.host,
            change.role,
            change.what,
            _short(change.before or "absent"),
            _short(change.after),
            _notes(plan, index),
        ]
        for index, change in enumerate(plan.changes)
    ]
    parts.insert(0, table(("host", "role", "what", "is", "will be", "why"), rows, width=width))
    return "".join([*parts, *(f"{line}\n" for line in summary(plan))])


def _notes(plan: Plan, index: int) -> str:
    change = plan.changes[index]
    extras = [size(change.bytes)] if change.bytes else []
    extras += ["reboot"] if change.reboot else []
    return f"{change.reason} [{', '.join(extras)}]" if extras else change.reason


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def summary(plan: Plan) -> list[str]:
    """Return the lines that say what the plan costs."""
    lines = [
        f"{count(len(plan.changes), 'change')} on {', '.join(plan.drifting)}; about {count(plan.minutes, 'minute')}"
    ]
    if plan.reboots:
        lines.append(f"reboots: {', '.join(plan.reboots)}, once each")
    stops = [f"{name} on {host}" for host, name in plan.stops()]
    if stops:
        lines.append(f"stops meanwhile: {', '.join(stops)}")
    if plan.bytes:
        per_host = {host: sum(change.bytes for change in plan.of(host)) for host in plan.drifting}
        lines.append(
            f"to move: {size(plan.bytes)} ({', '.join(f'{host} {size(moved)}' for host, moved in per_host.items())})"
        )
    return lines
