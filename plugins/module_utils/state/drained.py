"""The operator's units that may be stopped for a driver change, and those that wait to be started again."""

from __future__ import annotations

import json

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

MARK = "/var/lib/provision/drained"
"""Names of units that provision stopped; it outlives a run that is killed, and a reboot."""


def describe(names: list[str], units: dict[str, Facts]) -> Facts:
    """Return {active, waiting}: which of the units *names* run now, and which were stopped and not started again."""
    return {
        "active": [name for name in names if units.get(name, {}).get("active")],
        "waiting": waiting(),
    }


def waiting(path: str = MARK) -> list[str]:
    """Return the units that the mark names, [] without one; what is not readable names nothing."""
    try:
        found = json.loads(files.text(path) or "[]")
    except ValueError:
        return []
    return [str(name) for name in found] if isinstance(found, list) else []
