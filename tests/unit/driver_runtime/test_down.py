"""The flow of `down`: what it stops, and what it says of services that span other hosts."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from driver import act, down, paths
from driver import fleet as fleets
from driver.fleet import Fleet
from driver.request import Request
from driver.terminal import Terminal

from .conftest import cluster, seen
from .test_up import good

WARNING = "warning: node1 keeps its part of chat, which cannot answer then\n"


@pytest.mark.parametrize(("limit", "warned"), [("node2", True), ("node1,node2", False), (None, False)])
def test_a_part_of_a_service_that_stays_is_said(
    limit: str | None, warned: bool, tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[Request] = []
    monkeypatch.setattr(paths, "site_dir", lambda _: tmp_path)
    monkeypatch.setattr(fleets, "load", lambda _: cluster(fleet))
    monkeypatch.setattr(down, "observe", lambda asked: seen({host.name: {} for host in asked.hosts}))
    monkeypatch.setattr(act, "play", lambda _, request, run, __: played.append(request) or good(run.folder))
    err = io.StringIO()
    record = down.down(
        "test", down.Ending(limit=limit, yes=True), Terminal(io.StringIO(), err, lambda _: True, interactive=False)
    )
    assert record.exit_code == 0, record.error
    assert played[0].hosts == tuple((limit or "node1,node2").split(","))
    assert (WARNING in err.getvalue()) is warned


@pytest.mark.parametrize(
    ("ending", "says", "not_said"),
    [
        (down.Ending(yes=True), ["stop the services", "on node1, node2"], ["firmware", "models"]),
        (down.Ending(purge=True, yes=True), ["firmware, driver", "the account", "and the models stay"], []),
        (down.Ending(purge=True, models=True, yes=True), ["and the models;"], ["the models stay"]),
    ],
)
def test_what_is_removed_and_what_stays_is_said(
    ending: down.Ending,
    says: list[str],
    not_said: list[str],
    tmp_path: Path,
    fleet: Fleet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played: list[Request] = []
    monkeypatch.setattr(paths, "site_dir", lambda _: tmp_path)
    monkeypatch.setattr(fleets, "load", lambda _: fleet)
    monkeypatch.setattr(down, "observe", lambda asked: seen({host.name: {} for host in asked.hosts}))
    monkeypatch.setattr(act, "play", lambda _, request, run, __: played.append(request) or good(run.folder))
    err = io.StringIO()
    down.down("test", ending, Terminal(io.StringIO(), err, lambda _: True, interactive=False))
    assert all(text in err.getvalue() for text in says), err.getvalue()
    assert not any(text in err.getvalue() for text in not_said), err.getvalue()
    assert played[0].extra_vars == {"purge": ending.purge, "purge_models": ending.models}
