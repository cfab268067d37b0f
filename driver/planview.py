"""The plan as a person reads it."""

from __future__ import annotations

from driver.plan import Plan
from driver.table import table
from driver.units import count, size

SHOWN = 60  # characters of a value
IMAGES = "container_image"
UNKNOWN = "images of unknown size"
NAMED = 4  # hosts of a row


def text(plan: Plan, width: int) -> str:
    """Return the plan as a table and a summary, or the sentence that there is no drift; *width* as in table()."""
    parts = [f"not understood on {host}: {what}\n" for host, what in plan.not_understood]
    if not plan.changes:
        verb = "is" if len(plan.hosts) == 1 else "are"
        return "".join(
            [*parts, f"no drift: {count(len(plan.hosts), 'host')} of site {plan.site} {verb} what the site says\n"]
        )
    head = ("role", "what", "is -> will be", "hosts", "why")
    parts.insert(0, table(head, _rows(plan), width=width))
    return "".join([*parts, *(f"{line}\n" for line in summary(plan))])


def _rows(plan: Plan) -> list[list[str]]:
    """Return one row per change; hosts that need the very same share it."""
    hosts: dict[tuple[str, ...], list[str]] = {}
    for change in plan.changes:
        extras = [size(change.bytes)] if change.bytes else []
        extras += ["reboot"] if change.reboot else []
        why = f"{change.reason} [{', '.join(extras)}]" if extras else change.reason
        words = f"{_short(change.before or 'absent')} -> {_short(change.after)}"
        hosts.setdefault((change.role, change.what, words, why), []).append(change.host)
    return [[role, what, words, _names(names), why] for (role, what, words, why), names in hosts.items()]


def _names(hosts: list[str]) -> str:
    unique = list(dict.fromkeys(hosts))
    if len(unique) <= NAMED:
        return ", ".join(unique)
    return f"{', '.join(unique[:NAMED])}, … ({len(unique)} in all)"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def summary(plan: Plan) -> list[str]:
    """Return the lines that say what the plan costs."""
    what = f"{count(len(plan.changes), 'change')} on {_names(plan.drifting)}"
    lines = [f"{what}; about {count(plan.minutes, 'minute')}"]
    if plan.guests:
        lines.append(f"beyond --limit, for its Ray cluster: {_names(list(plan.guests))}; services alone, nothing else")
    if plan.reboots:
        lines.append(f"reboots: {_names(plan.reboots)}, once each")
    stopped: dict[str, list[str]] = {}
    for host, name in plan.stops():
        stopped.setdefault(name, []).append(host)
    if stopped:
        lines.append(f"stops meanwhile: {'; '.join(f'{name} on {_names(hosts)}' for name, hosts in stopped.items())}")
    if plan.bytes or _unknown(plan):
        lines.append(f"to move: {_moved(plan)}")
    return lines


def _unknown(plan: Plan) -> bool:
    """Return whether there is an image to move of which the catalog does not know the size."""
    return any(change.role == IMAGES and not change.bytes for change in plan.changes)


def _moved(plan: Plan) -> str:
    per_host = [sum(change.bytes for change in plan.of(host)) for host in plan.drifting]
    known = [f"{size(plan.bytes)}, at most {size(max(per_host))} to one host"] if plan.bytes else []
    return ", plus ".join([*known, *([UNKNOWN] if _unknown(plan) else [])])
