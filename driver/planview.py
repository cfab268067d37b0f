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
            [
                *parts,
                *_cards(plan),
                f"no drift: {count(len(plan.hosts), 'host')} of site {plan.site} {verb} what the site says\n",
            ]
        )
    head = ("role", "what", "is -> will be", "hosts", "why")
    parts.insert(0, table(head, _rows(plan), width=width))
    return "".join([*parts, *(f"{line}\n" for line in summary(plan)), *_cards(plan)])


def _cards(plan: Plan) -> list[str]:
    """Return a line for every kind of cards and for every remark, with the hosts that it is about."""
    cards, remarks = _by_text(plan.cards), _by_text(plan.remarks)
    return [
        *(f"cards: {text} ({_names(names)})\n" for text, names in cards.items()),
        *(f"worth knowing: {text} ({_names(names)})\n" for text, names in remarks.items()),
    ]


def _by_text(pairs: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    hosts: dict[str, list[str]] = {}
    for host, text in pairs:
        hosts.setdefault(text, []).append(host)
    return hosts


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
        lines.append(f"reboots: {_names(plan.reboots)}, once each{_batches(plan)}")
    stopped: dict[str, list[str]] = {}
    for host, name in plan.stops():
        stopped.setdefault(name, []).append(host)
    if stopped:
        lines.append(f"stops meanwhile: {'; '.join(f'{name} on {_names(hosts)}' for name, hosts in stopped.items())}")
    if plan.bytes or _unknown(plan):
        lines.append(f"to move: {_moved(plan)}")
    return [*lines, *(f"model {line}" for line in plan.moves)]


def _batches(plan: Plan) -> str:
    """Return how the reboots are spread; nothing where all of them come at once."""
    batches = plan.reboot_batches()
    if len(batches) < 2:
        return ""
    sizes = [len(batch) for batch in batches[1:]]
    rest = f"then {sizes[0]}" if len(sizes) == 1 else f"then {len(sizes)} batches of up to {max(sizes)}"
    return f": {_names(batches[0])} first, {rest}, each when the ones before are back"


def _unknown(plan: Plan) -> bool:
    """Return whether there is an image to move of which the catalog does not know the size."""
    return any(change.role == IMAGES and not change.bytes for change in plan.changes)


def _moved(plan: Plan) -> str:
    per_host = [sum(change.bytes for change in plan.of(host)) for host in plan.drifting]
    known = [f"{size(plan.bytes)}, at most {size(max(per_host))} to one host"] if plan.bytes else []
    return ", plus ".join([*known, *([UNKNOWN] if _unknown(plan) else [])])
