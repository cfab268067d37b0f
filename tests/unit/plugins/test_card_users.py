"""Units that hold cards: stopped by their own stop, remembered on disk, started again whatever happened between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.modules import card_users


class Systemd:
    """Units that run or do not; those in *broken* do not start again."""

    def __init__(self, **running: bool) -> None:
        self.running = {f"{name}.service": state for name, state in running.items()}
        self.broken: set[str] = set()
        self.calls: list[tuple[str, str]] = []

    def __call__(self, *words: str, **_limits: int) -> str:
        verb, unit = words[0], words[-1]
        if verb == "show":
            return "active" if self.running.get(unit) else "inactive"
        self.calls.append((verb, unit))
        self.running[unit] = verb == "start" and unit not in self.broken
        return "Job failed" if unit in self.broken else ""


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return str(tmp_path / "lib/drained")


def use(monkeypatch: pytest.MonkeyPatch, systemd: Systemd, holders: list[dict[str, Any]] | None = None) -> Systemd:
    monkeypatch.setattr(card_users, "systemctl", systemd)
    monkeypatch.setattr(card_users, "holders", lambda: holders or [])
    return systemd


def test_only_units_that_run_are_stopped_and_remembered(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = use(monkeypatch, Systemd(a=True, b=False))
    assert card_users.drain(["a.service", "b.service"], mark) == ["a.service"]
    assert systemd.calls == [("stop", "a.service")]
    assert json.loads(Path(mark).read_text()) == ["a.service"]


def test_the_mark_is_there_before_anything_is_stopped(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Systemd):
        def __call__(self, *words: str, **limits: int) -> str:
            if words[0] == "stop":
                raise KeyboardInterrupt
            return super().__call__(*words, **limits)

    use(monkeypatch, Killed(a=True))
    with pytest.raises(KeyboardInterrupt):
        card_users.drain(["a.service"], mark)
    assert json.loads(Path(mark).read_text()) == ["a.service"]


def test_what_an_earlier_run_stopped_stays_remembered(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Systemd(a=True, b=True))
    card_users.drain(["a.service"], mark)
    card_users.drain(["a.service", "b.service"], mark)
    assert json.loads(Path(mark).read_text()) == ["a.service", "b.service"]


def test_nothing_to_stop_leaves_no_mark(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Systemd(a=False))
    assert card_users.drain(["a.service"], mark) == []
    assert not Path(mark).exists()


def test_units_are_started_again_and_the_mark_goes(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = use(monkeypatch, Systemd(a=True))
    card_users.drain(["a.service"], mark)
    assert card_users.restore(mark) == {"units": ["a.service"], "failed_units": {}}
    assert systemd.running["a.service"]
    assert not Path(mark).exists()
    assert card_users.restore(mark) == {"units": [], "failed_units": {}}


def test_a_unit_that_does_not_start_again_is_said(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = use(monkeypatch, Systemd(a=True, b=True))
    card_users.drain(["a.service", "b.service"], mark)
    systemd.broken = {"a.service"}
    assert card_users.restore(mark)["failed_units"] == {"a.service": "Job failed"}
    assert systemd.running["b.service"]
