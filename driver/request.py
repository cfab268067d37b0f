"""What a playbook run is asked to do; apart from the runner, which is slow to import."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """Which playbook to run, on which hosts (none named: all), for which tags (none: all), with which lock held.

    *removes* is for one that takes away what is there, which needs no secret but the password of sudo.
    """

    playbook: str
    lock: Path
    hosts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    check: bool = False
    removes: bool = False
    extra_vars: dict[str, Any] = field(default_factory=dict)
