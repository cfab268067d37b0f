"""What a purge leaves on a host, and why: remains.yml, read and compared with what really is left."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

DATA = Path(__file__).with_name("remains.yml")


def reasons() -> dict[str, str]:
    """Return pattern -> reason."""
    return {entry["pattern"]: entry["reason"] for entry in yaml.safe_load(DATA.read_text(encoding="utf-8"))}


def unexplained(lines: list[str]) -> list[str]:
    """Return those differences between a bare and a purged host that no entry explains."""
    known = [re.compile(pattern) for pattern in reasons()]
    return [line for line in lines if not any(pattern.search(line) for pattern in known)]
