"""Where a plan says that models come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driver import plan, planview
from driver.fleet import Fleet, FleetHost
from driver.observe import Observation

GIGABYTE = 1_000_000_000
SOURCE = "modelscope a/b (http://hub)"


def fleet_of(count: int, moves: bool = True, **changed: Any) -> Fleet:
    model = {
        "name": "m",
        "source": "modelscope",
        "repo": "a/b",
        "endpoint": "http://hub",
        "fetch": "node1",
        "shared": False,
    }
    wanted = {"model_store": {"models": [model | changed], "moves": {"enabled": moves}}}
    names = [f"node{number}" for number in range(1, count + 1)]
    hosts = tuple(FleetHost(name, "192.0.2.1", ("model_store",), wanted) for name in names)
    return Fleet("test", Path(), Path(), "python3", hosts)


def seen(*lacking: str, size: int = GIGABYTE) -> Observation:
    item = {"what": "model", "from": None, "to": "x", "reason": "not there", "bytes": size, "detail": {"name": "m"}}
    return Observation({name: {"drift": {"model_store": [item]}} for name in lacking}, {}, 0.0)


TWO = ("node1", "node2")


@pytest.mark.parametrize(
    ("fleet", "lacking", "line"),
    [
        (fleet_of(2), TWO, f"m: 2.0 GB to node1, node2; from {SOURCE} by node1, passed on to node2"),
        (fleet_of(2), ("node2",), "m: 1.0 GB to node2; from node1, which has it"),
        (fleet_of(3), ("node2",), "m: 1.0 GB to node2; from node1, node3, who have it"),
        (fleet_of(1), ("node1",), f"m: 1.0 GB to node1; from {SOURCE} by node1"),
        (fleet_of(2, fetch="each"), TWO, f"m: 2.0 GB to node1, node2; from {SOURCE}, by each host itself"),
        (fleet_of(2, moves=False), TWO, f"m: 2.0 GB to node1, node2; from {SOURCE}, by each host itself"),
        (
            fleet_of(2, fetch="controller"),
            TWO,
            f"m: 2.0 GB to node1, node2; from {SOURCE} by this machine, which passes it on",
        ),
        (fleet_of(2, shared=True), TWO, f"m: 2.0 GB to node1, node2; node1 writes it for all, from {SOURCE}"),
        (fleet_of(2, shared=True), ("node2",), "m: 1.0 GB to node2; node1 has it on the same storage"),
    ],
)
def test_amount_hosts_and_way(fleet: Fleet, lacking: tuple[str, ...], line: str) -> None:
    found = plan.build(fleet, seen(*lacking), {})
    assert found.moves == (line,)
    assert f"model {line}" in planview.summary(found)
    assert found.as_json()["moves"] == [line]


def test_nothing_is_said_where_nothing_lacks() -> None:
    fleet = fleet_of(2)
    assert plan.build(fleet, replace(seen(), docs={}), {}).moves == ()


def test_many_hosts_are_counted_and_an_unknown_size_is_left_out() -> None:
    fleet = fleet_of(16)
    (line,) = plan.build(fleet, seen(*(host.name for host in fleet.hosts), size=0), {}).moves
    assert line.startswith("m: to node1, node2, node3, node4, … (16 in all); from ")
