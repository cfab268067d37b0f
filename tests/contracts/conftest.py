"""What the contract tests share: where the tree is and how its roles look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def read_yaml(path: Path) -> Any:
    """Return the parsed content of *path*; None for an empty file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def role_folders() -> list[Path]:
    """Return the folder of every role, sorted by name."""
    return sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def tasks_in(document: Any) -> list[dict[str, Any]]:
    """Return every task of a task or handler file, blocks unfolded."""
    found: list[dict[str, Any]] = []
    for entry in document or []:
        found.append(entry)
        for part in ("block", "rescue", "always"):
            found.extend(tasks_in(entry.get(part)))
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT
