"""Filters of the NPU roles and of the reboot's play."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def copies_in(paths: Iterable[str], prefix: str) -> list[dict[str, str]]:
    """Return {src, dest} of every file: two of the same name keep apart by their number behind *prefix*."""
    return [{"src": path, "dest": f"{prefix}{number}-{posixpath.basename(path)}"} for number, path in enumerate(paths)]


def asks_for_reboot(seen: Mapping[str, Any]) -> bool:
    """Return whether the variables of a host say that it needs a reboot which it has not had in this run."""
    asked = any(seen.get(f"{role}_reboot_needed") for role in ("npu_driver", "npu_firmware"))
    facts = (seen.get("host_state") or {}).get("facts") or {}
    return not seen.get("reboot_done") and bool(asked or (facts.get("reboot") or {}).get("pending"))


def left_to_reboot(hosts: Iterable[str], hostvars: Mapping[str, Any]) -> list[str]:
    """Return those of *hosts* that still need a reboot."""
    return [host for host in hosts if asks_for_reboot(hostvars[host])]


class FilterModule:
    """Gives Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return every filter by name."""
        return {"copies_in": copies_in, "asks_for_reboot": asks_for_reboot, "left_to_reboot": left_to_reboot}
