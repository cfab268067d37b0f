"""What `provision explain --npu-smi` knows: the parser that runs on the hosts, applied to a text that somebody has."""

from __future__ import annotations

from typing import Any, Final

from driver.hostprogram import host_module

_ALWAYS: Final = ("version", "chips", "processes")
_WHEN_THERE: Final = ("not_understood", "code", "error")


def understand(text: str) -> dict[str, Any]:
    """Return what *text*, the output of `npu-smi info`, says.

    Always {version, chips, processes}; {not_understood, code, error} only when there is something to say. The shapes
    are those of plugins/module_utils/state/npu_smi.py.
    """
    found: dict[str, Any] = host_module("npu_smi").parse_npu_smi(text)
    there = {key: found[key] for key in _WHEN_THERE if found[key] not in (None, [])}
    return {key: found[key] for key in _ALWAYS} | there
