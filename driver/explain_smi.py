"""What `provision explain --npu-smi` knows: the parser that runs on the hosts, applied to a text that somebody has."""

from __future__ import annotations

import sys
from importlib import import_module, util
from types import ModuleType
from typing import Any, Final

from driver.paths import ROOT

_STATE: Final = ROOT / "plugins" / "module_utils" / "state"
_NAME: Final = "provision_state"
_ALWAYS: Final = ("version", "chips", "processes")
_WHEN_THERE: Final = ("not_understood", "code", "error")


def understand(text: str) -> dict[str, Any]:
    """Return what *text*, the output of `npu-smi info`, says.

    Always {version, chips, processes}; {not_understood, code, error} only when there is something to say. The shapes
    are those of plugins/module_utils/state/npu_smi.py.
    """
    found: dict[str, Any] = _parser().parse_npu_smi(text)
    there = {key: found[key] for key in _WHEN_THERE if found[key] not in (None, [])}
    return {key: found[key] for key in _ALWAYS} | there


def _parser() -> ModuleType:
    """Load the hosts' package from the repository: it is no part of what is installed, and knows no fixed name."""
    if _NAME not in sys.modules:
        spec = util.spec_from_file_location(_NAME, _STATE / "__init__.py", submodule_search_locations=[str(_STATE)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{_STATE}: not a package; expected plugins/module_utils/state of the repository")
        package = util.module_from_spec(spec)
        sys.modules[_NAME] = package
        spec.loader.exec_module(package)
    return import_module(f"{_NAME}.npu_smi")
