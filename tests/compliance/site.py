"""What the rendered inventory says: the expected side of every check."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Rendered:
    """A rendered inventory: its hosts with their groups, and the variables of each."""

    folder: Path

    @property
    def ssh_config(self) -> Path:
        """Return the file with every connection setting."""
        return self.folder / "ssh_config"

    def groups(self) -> dict[str, list[str]]:
        """Return the hosts of every group."""
        children = _read(self.folder / "hosts.yml")["all"]["children"]
        return {name: list((group or {}).get("hosts") or {}) for name, group in children.items()}

    def hosts(self) -> list[str]:
        """Return every host of the site."""
        return sorted({host for hosts in self.groups().values() for host in hosts})

    def variables(self, host: str) -> dict[str, Any]:
        """Return the variables of *host*: the host's own over those of all hosts."""
        return {**_read(self.folder / "group_vars/all.yml"), **_read(self.folder / "host_vars" / f"{host}.yml")}


@cache
def _read(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=Loader) or {}  # noqa: S506 - the safe loader, in C if there is one
