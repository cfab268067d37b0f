"""The plan: drift in play order, with what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driver import plan as plans
from driver import planview
from driver.errors import SiteError, Unreachable
from driver.fleet import Fleet, FleetHost
from driver.observe import Observation
from driver.scope import planned, scope
from driver.ssh import HostFault

from .conftest import cluster, fleet_of, item, seen

IMAGE = item("image", bytes=3_000_000_000)
DRIVER = item("driver version", **{"from": "1", "to": "2", "reboot": True, "stops": ["chat"]})


def test_no_drift_is_said_in_one_sentence(fleet: Fleet) -> None:
    found = plans.build(fleet, seen({"node1": {"npu_driver": []}, "node2": {}}), {})
    assert planview.text(found, 0) == "no drift: 2 hosts of site test are what the site says\n"
    assert found.as_json()["drift"] is False


def test_changes_stand_in_play_order_with_their_cost(fleet: Fleet) -> None:
    found = plans.build(
        fleet,
        seen({"node1": {"container_image": [IMAGE]}, "node2": {"npu_driver": [DRIVER], "container_image": [IMAGE]}}),
        {},
    )
    assert [(change.host, change.role) for change in found.changes] == [
        ("node2", "npu_driver"),
        ("node1", "container_image"),
        ("node2", "container_image"),
    ]
    assert (found.roles, found.drifting, found.reboots) == (
        ["npu_driver", "container_image"],
        ["node1", "node2"],
        ["node2"],
    )
    assert found.bytes == 6_000_000_000
    text = planview.text(found, 0)
    assert "reboots: node2, once each" in text
    assert "stops meanwhile: chat on node2" in text
    assert "to move: 6.0 GB, at most 3.0 GB to one host" in text
    assert json.loads(json.dumps(found.as_json()))["hosts"]["node2"]["reboot"] is True


def test_reboots_come_with_a_canary_and_in_batches(tmp_path: Path) -> None:
    names = [f"node{number}" for number in range(1, 6)]
    fleet = replace(fleet_of(tmp_path, *names), reboot_batches=(1, 2))
    found = plans.build(
        fleet, seen({name: {"npu_driver": [DRIVER]} for name in names}), {"npu_driver": 60.0, "reboot": 60.0}
    )
    assert found.reboot_batches() == [["node1"], ["node2", "node3"], ["node4", "node5"]]
    assert found.as_json()["reboot_batches"] == found.reboot_batches()
    assert found.minutes == 4  # the driver everywhere at once, then three batches
    text = "reboots: node1, node2, node3, node4, … (5 in all), once each: node1 first, then 2 batches of up to 2, each "
    assert text in planview.text(found, 0)


@pytest.mark.parametrize(
    ("count", "line"), [(1, "reboots: node1, once each\n"), (3, "once each: node1 first, then 2, each ")]
)
def test_few_reboots_are_said_in_few_words(count: int, line: str, tmp_path: Path) -> None:
    names = [f"node{number}" for number in range(1, count + 1)]
    found = plans.build(fleet_of(tmp_path, *names), seen({name: {"npu_driver": [DRIVER]} for name in names}), {})
    assert line in planview.text(found, 0)


def test_cards_are_called_by_their_product_or_their_generation(fleet: Fleet) -> None:
    first, second = (replace(host, generation="A9") for host in fleet.hosts)
    observed = seen({"node1": {}, "node2": {}})
    known = {"subsystem": "19e5:3002", "product": "Server 9", "count": 8}
    unknown = {"subsystem": "19e5:9999", "product": None, "count": 8}
    remarks = [{"area": "gcc", "text": "another compiler"}, {"area": "board", "text": "said among the cards"}]
    observed.docs["node1"]["facts"] = {"npu": {"products": [known]}, "remarks": remarks}
    observed.docs["node2"]["facts"] = {"npu": {"products": [unknown]}}
    found = plans.build(replace(fleet, hosts=(first, second)), observed, {})
    text = planview.text(found, 0)
    assert "cards: 8 x Server 9 (node1)\n" in text
    assert "cards: 8 x generation A9, product unknown (19e5:9999): goes on (node2)\n" in text
    assert "worth knowing: gcc: another compiler (node1)\n" in text
    assert "said among" not in text
    assert found.as_json()["hosts"]["node1"]["cards"] == ["8 x Server 9"]


@pytest.mark.parametrize(
    ("items", "line"),
    [
        ([item("image")], "to move: images of unknown size"),
        ([IMAGE, item("image")], "to move: 3.0 GB, at most 3.0 GB to one host, plus images of unknown size"),
    ],
)
def test_images_of_unknown_size_are_said(fleet: Fleet, items: list[dict[str, Any]], line: str) -> None:
    found = plans.build(fleet, seen({"node1": {"container_image": items}, "node2": {}}), {})
    assert line in planview.text(found, 0).splitlines()


def test_tags_leave_out_hosts_that_have_none_of_the_roles(fleet: Fleet) -> None:
    first, second = fleet.hosts
    uneven = replace(fleet, hosts=(first, replace(second, roles=("npu_driver",))))
    assert [host.name for host in uneven.limited(None, "container_image").hosts] == ["node1"]
    with pytest.raises(SiteError, match="--tags: container_image is nothing that node2 has; it belongs to node1"):
        uneven.limited("node2", "container_image")


def test_a_narrow_terminal_gets_plain_columns(fleet: Fleet) -> None:
    found = plans.build(fleet, seen({"node1": {"npu_driver": [DRIVER]}, "node2": {}}), {})
    assert planview.text(found, 40) == planview.text(found, 0)


def test_hosts_that_need_the_same_share_a_line(fleet: Fleet) -> None:
    text = planview.text(
        plans.build(fleet, seen({"node1": {"npu_driver": [DRIVER]}, "node2": {"npu_driver": [DRIVER]}}), {}), 0
    )
    assert text.splitlines()[1] == "npu_driver  driver version  1 -> 2         node1, node2  it is absent [reboot]"


def test_minutes_come_from_earlier_runs_where_there_are_some(fleet: Fleet) -> None:
    drift = seen({"node1": {"npu_driver": [item("driver")]}, "node2": {}})
    assert plans.build(fleet, drift, {"npu_driver": 599.0}).minutes == 10
    assert plans.build(fleet, drift, {}).minutes == 1


def test_tags_and_limit_narrow_the_plan(fleet: Fleet) -> None:
    drift = seen({"node1": {"npu_driver": [DRIVER], "container_image": [IMAGE]}, "node2": {"npu_driver": [DRIVER]}})
    found = plans.build(fleet.limited("node1", "container_image"), drift, {})
    assert [(change.host, change.role) for change in found.changes] == [("node1", "container_image")]


@pytest.mark.parametrize(
    ("limit", "tags", "word"),
    [
        ("node3", None, "--limit: node3 is not in site test"),
        (None, "docker", "--tags: docker is not in site test"),
        ("", None, "--limit: found no name"),
        (None, " ,", "--tags: found no name"),
    ],
)
def test_a_limit_that_matches_nothing_is_refused(fleet: Fleet, limit: str | None, tags: str | None, word: str) -> None:
    with pytest.raises(SiteError, match=f"{word}; known are"):
        fleet.limited(limit, tags)


def test_a_run_takes_the_cluster_of_a_drifting_host_with_it(fleet: Fleet) -> None:
    members = {"ray_cluster": {"members": [{"name": "chat"}]}}
    hosts = (*(replace(host, wanted=members) for host in fleet.hosts), FleetHost("node3", "192.0.2.3", fleet.roles, {}))
    wide = replace(fleet, hosts=hosts)
    found = plans.build(wide, seen({"node2": {"npu_driver": [DRIVER]}}), {})
    assert scope(wide, found) == (("node1", "node2"), ("npu_driver", "inference_service"))
    assert scope(wide.limited("node2", "npu_driver"), found) == (("node2",), ("npu_driver",))


def storing(fetch: str = "node1", shared: bool = False, enabled: bool = True) -> dict[str, Any]:
    """Return what a host wants that stores one model."""
    model = {"name": "tiny", "path": "/m", "fetch": fetch, "shared": shared}
    return {"model_store": {"models": [model], "moves": {"enabled": enabled}}}


def test_hosts_that_have_a_model_take_part_when_others_lack_it(fleet: Fleet) -> None:
    names = [f"node{number}" for number in range(1, 8)]
    hosts = tuple(FleetHost(name, "192.0.2.1", ("model_store",), storing()) for name in names)
    wide = replace(fleet, hosts=hosts)
    found = plans.build(wide, seen({"node6": {"model_store": [item("model")]}}), {})
    assert scope(wide, found)[0] == ("node1", "node2", "node3", "node4", "node6")
    assert scope(wide.limited("node6,node7"), found)[0] == ("node6", "node7")
    for alone in (storing(fetch="each"), storing(shared=True), storing(enabled=False)):
        each = replace(wide, hosts=tuple(replace(host, wanted=alone) for host in hosts))
        assert scope(each, found)[0] == ("node6",)


def test_a_reboot_names_the_services_that_lose_their_cluster(fleet: Fleet) -> None:
    members = {"ray_cluster": {"members": [{"name": "chat"}]}}
    serving = {"inference_service": {"services": [{"name": "chat", "unit": "provision-chat.service"}]}}
    first, second = fleet.hosts
    cluster = replace(fleet, hosts=(replace(first, wanted=members | serving), replace(second, wanted=members)))
    observation = seen({"node1": {}, "node2": {"npu_driver": [item("nodes", reboot=True)]}})
    assert plans.build(cluster, observation, {}).stops() == []
    observation.docs["node1"]["facts"] = {"services": {"chat": {"unit_active": True}}}
    assert plans.build(cluster, observation, {}).stops() == [("node1", "provision-chat.service")]


def watched(
    drift: dict[str, Any], running: bool = True, parts: tuple[str, ...] = ("chat",), **faults: Any
) -> Callable[[Fleet], Observation]:
    """Return an `observe` that finds *drift*, and a service that runs or not, on the hosts that it is asked for."""

    def look(asked: Fleet) -> Observation:
        found = seen({host.name: drift.get(host.name, {}) for host in asked.hosts if host.name not in faults})
        for document in found.docs.values():
            document["facts"] = {"services": {part: {"unit_active": running} for part in parts}}
        return replace(found, faults={name: faults[name] for name in faults if name in {h.name for h in asked.hosts}})

    return look


def test_a_limit_takes_the_cluster_along_when_a_part_of_it_stops(fleet: Fleet) -> None:
    limited, look = cluster(fleet).limited("node2"), watched({"node2": {"npu_driver": [DRIVER]}})
    wide, found = planned(limited, look(limited), {}, look)
    assert scope(wide, found) == (("node2", "node1"), ("npu_driver", "ray_cluster", "inference_service"))
    assert found.stops() == [("node2", "chat"), ("node1", "provision-chat.service")]
    assert (found.guests, found.as_json()["guests"]) == (("node1",), ["node1"])
    assert "beyond --limit, for its Ray cluster: node1; services alone, nothing else" in planview.text(found, 0)
    assert [host.name for host in wide.without_guests().hosts] == ["node2"]
    again, found = planned(wide, watched({})(wide), {}, look)
    assert (again, found.changes) == (wide, ())


@pytest.mark.parametrize(
    ("drift", "running"),
    [({"model_store": [item("model")]}, True), ({"npu_driver": [DRIVER]}, False), ({}, True)],
    ids=["nothing stops", "nothing runs elsewhere", "no drift"],
)
def test_a_limit_takes_nobody_along_without_need(fleet: Fleet, drift: dict[str, Any], running: bool) -> None:
    limited, look = cluster(fleet).limited("node2"), watched({"node2": drift}, running)
    wide, found = planned(limited, look(limited), {}, look)
    assert ([host.name for host in wide.hosts], found.guests) == (["node2"], ())


@pytest.mark.parametrize("host", ["node1", "node2"])
def test_a_guest_that_the_run_would_mend_is_refused(fleet: Fleet, host: str) -> None:
    other = {"node1": "node2", "node2": "node1"}[host]
    limited, look = (
        cluster(fleet).limited(host),
        watched({"node1": {"npu_driver": [DRIVER]}, "node2": {"npu_driver": [DRIVER]}}),
    )
    with pytest.raises(
        SiteError, match=f"--limit: found {host}.* {other} .* npu_driver, .*use --limit {host},{other}$"
    ):
        planned(limited, look(limited), {}, look)


def test_a_guest_brings_the_mates_of_its_own_drift(fleet: Fleet) -> None:
    first, second = cluster(fleet).hosts
    head = replace(first, wanted=first.wanted | {"ray_cluster": {"members": [{"name": "chat"}, {"name": "other"}]}})
    third = replace(second, name="node3", wanted={"ray_cluster": {"members": [{"name": "other"}]}})
    limited = replace(fleet, hosts=(head, second, third)).limited("node2")
    assert [mate.name for mate in limited.mates] == ["node1", "node3"]
    drift: dict[str, Any] = {"node2": {"npu_driver": [DRIVER]}}
    for more, hosts in (({}, ["node2", "node1"]), ({"ray_cluster": [item("unit")]}, ["node2", "node1", "node3"])):
        look = watched({**drift, "node1": more}, parts=("chat", "other"))
        wide, found = planned(limited, look(limited), {}, look)
        assert ([host.name for host in wide.hosts], list(found.guests)) == (hosts, hosts[1:])


def test_a_guest_has_to_answer(fleet: Fleet) -> None:
    lost = HostFault("node1", "no answer", "no answer", "Check")
    limited, look = cluster(fleet).limited("node2"), watched({"node2": {"npu_driver": [DRIVER]}}, node1=lost)
    with pytest.raises(Unreachable, match="node1: no answer"):
        planned(limited, look(limited), {}, look)


def test_tags_without_services_take_nobody_along_but_say_what_stops(fleet: Fleet) -> None:
    limited, look = cluster(fleet).limited("node2", "npu_driver"), watched({"node2": {"npu_driver": [DRIVER]}})
    same, found = planned(limited, look(limited), {}, look)
    assert (same, found.guests, found.hosts) == (limited, (), ("node2",))
    assert found.stops() == [("node2", "chat"), ("node1", "provision-chat.service")]


def test_what_was_not_understood_is_shown(fleet: Fleet) -> None:
    observation = seen({"node1": {}, "node2": {}})
    observation.docs["node1"]["not_understood"] = [{"area": "npu-smi", "text": "no table"}]
    assert "not understood on node1: npu-smi: no table" in planview.text(plans.build(fleet, observation, {}), 0)
