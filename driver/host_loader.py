"""The start of the host program: makes the sources that came with it importable, runs them, prints one JSON document.

Sent to hosts by `driver/hostprogram.py`, which appends a call of `main`: standard library and Python 3.7 only.
"""

import importlib
import json
import sys
from importlib.machinery import ModuleSpec

PACKAGE = "state"


class Embedded:
    """Finds and loads modules from a dict of sources; nothing is written on the host."""

    def __init__(self, sources: dict) -> None:  # type: ignore[type-arg]
        """Serve *sources*, texts by module name, as the package."""
        self.sources = sources

    def find_spec(self, name: str, path: object = None, target: object = None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Return the spec of the module *name* when it is one of ours."""
        package, _, module = name.partition(".")
        if package != PACKAGE or (module or "__init__") not in self.sources:
            return None
        return ModuleSpec(name, self, is_package=not module)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python to make the module."""

    def exec_module(self, module) -> None:  # type: ignore[no-untyped-def]
        """Run the source of *module*."""
        text = self.sources[module.__name__.partition(".")[2] or "__init__"]
        exec(compile(text, f"<{module.__name__}>", "exec"), module.__dict__)  # noqa: S102 - our own source


def main(sources: dict, wanted: dict, deep: bool) -> None:  # type: ignore[type-arg]
    """Print the document of this host as one line on stdout."""
    sys.meta_path.insert(0, Embedded(sources))
    program = importlib.import_module(f"{PACKAGE}.program")
    sys.stdout.write(json.dumps(program.observe_and_compare(wanted, deep)) + "\n")
