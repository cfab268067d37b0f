"""A store, a web server that misbehaves on demand, and a site whose sources are all on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from driver.bundle import fetch
from driver.bundle.store import Store
from tests.unit.driver.bundle.web import Web, serving


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "bundle").mkdir()
    return Store(tmp_path / "bundle")


@pytest.fixture
def web() -> Iterator[Web]:
    with serving(Web()) as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less between attempts, and never ask a proxy for this machine."""
    monkeypatch.setattr(fetch, "PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
