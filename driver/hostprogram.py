"""Build the one self-contained program that observes a host: the sources of module_utils/state with what is wanted.

Playbooks run the same files as a module; the driver sends them to `python3 -` and reads one JSON line.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from driver import paths

SOURCES = paths.ROOT / "plugins" / "module_utils" / "state"
LOADER = Path(__file__).with_name("host_loader.py")


def build_program(wanted: dict[str, Any] | None, *, deep: bool = False) -> str:
    """Return the program's text; *wanted* has the role variables by role, None only observes."""
    # JSON in a Python literal: json.loads of a string is safe for every value, and faster than a large dict display
    return f"{_fixed_part()}\nmain(SOURCES, json.loads({json.dumps(wanted or {})!r}), {deep!r})\n"


@functools.cache
def _fixed_part() -> str:
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted(SOURCES.glob("*.py"))}
    return f"{LOADER.read_text(encoding='utf-8')}\n\nSOURCES = json.loads({json.dumps(sources)!r})\n"
