"""Build the one self-contained program that observes a host: the sources of module_utils/state with what is wanted.

Playbooks run the same files as a module; the driver sends them to `python3 -` and reads one JSON line.
"""

from __future__ import annotations

import functools
import json
import sys
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
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


def host_module(name: str, package: str = "state") -> ModuleType:
    """Return the module *name* of a package of plugins/module_utils, to judge and to act here exactly as it does there.

    It is loaded from the repository: it is no part of what is installed, and knows no fixed name.
    """
    known = f"provision_{package}"
    if known not in sys.modules:
        folder = SOURCES.parent / package
        spec = util.spec_from_file_location(known, folder / "__init__.py", submodule_search_locations=[str(folder)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder}: not a package; expected plugins/module_utils/{package} of the repository")
        made = util.module_from_spec(spec)
        sys.modules[known] = made
        spec.loader.exec_module(made)
    return import_module(f"{known}.{name}")
