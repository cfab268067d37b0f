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
