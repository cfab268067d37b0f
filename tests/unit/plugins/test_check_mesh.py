"""What the checks of the ports make of the tool's answers, and of a matrix with holes, without a host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.compliance import hccn, mesh

SAID = """0 ip ipaddr:10.20.0.1
1 ip Get ip failed, because no ip was preset there!
0 ip netmask:255.255.255.0
0 gateway default gateway:10.20.0.254, Iface:eth0
0 netdetect netdetect address: 10.20.0.254
0 link link status: UP
1 link link status: DOWN
0 net_health net health status: Receive timeout
0 tls dev_id:0, tls switch[1](0:disable, 1:enable), tls preconfigured[1](0:non-preset, 1:preset)
1 tls No certificate found, please set certs firstly!
"""


def test_answers_that_come_mixed_are_told_apart() -> None:
    first, second = (hccn.understood(SAID)[number] for number in (0, 1))
    assert first == {
        "address": "10.20.0.1",
        "netmask": "255.255.255.0",
        "gateway": "10.20.0.254",
        "netdetect": "10.20.0.254",
        "link": "UP",
        "health": "Receive timeout",
        "tls": "on",
    }
    assert (second["address"], second["link"], second["tls"]) == ("", "DOWN", "off")


def test_a_device_that_says_nothing_is_there_and_unknown() -> None:
    asked: list[str] = []

    class Host:
        def run(self, command: str) -> Any:
            asked.append(command)
            return type("Result", (), {"stdout": SAID})

    expected = {"npu_network_install_path": "/opt", "npu_network_devices": [{"device": number} for number in range(3)]}
    ports = hccn.Ports(Host(), expected)
    assert ports.found[2]["tls"] == "unknown"
    assert ports.switches() == {0: "on", 1: "off", 2: "unknown"}
    assert len(asked) == 1
    assert "timeout -k 5 20 /opt/driver/tools/hccn_tool -i $i -$q -g" in asked[0]


def test_a_switch_that_differs_from_most_of_the_site_is_named() -> None:
    switches = {"node1": {0: "off", 1: "off"}, "node2": {0: "on", 1: "on"}, "node3": {0: "off", 1: "off"}}
    assert hccn.odd_switches(switches, "node1") == ("off", "")
    assert hccn.odd_switches(switches, "node2") == ("off", "device 0: on, device 1: on")


def test_switches_that_nobody_knows_are_not_the_same() -> None:
    silent = {0: "unknown", 1: "unknown"}
    assert hccn.odd_switches({"node1": silent}, "node1") == ("unknown", "device 0: unknown, device 1: unknown")
    assert hccn.odd_switches({"node1": {0: "on"}, "node2": silent}, "node2")[0] == "on"
    assert hccn.other_switches({0: "off", 1: "unknown"}, "off") == ["device 1: unknown"]
    assert hccn.other_switches({0: "off", 1: "off"}, "off") == []


def everything(hosts: int = 3, rails: int = 2) -> mesh.Matrix:
    names = [f"node{number}" for number in range(1, hosts + 1)]
    return {
        rail: {source: {target: mesh.GOOD for target in names if target != source} for source in names}
        for rail in range(rails)
    }


def test_a_good_matrix_says_nothing() -> None:
    assert mesh.holes(everything()) == []
    assert mesh.verdict(everything()) == []
    assert mesh.drawn(everything()) == ""


def test_a_host_that_nobody_reaches_is_the_verdict() -> None:
    found = everything()
    for rail, rows in found.items():
        for target in rows["node2"]:
            found[rail]["node2"][target] = found[rail][target]["node2"] = "lost"
    assert mesh.verdict(found) == ["node2 reaches nobody and nobody reaches it: look at node2"]


def test_a_rail_that_is_dead_everywhere_is_the_verdict() -> None:
    found = everything()
    for row in found[1].values():
        row.update(dict.fromkeys(row, "lost"))
    assert mesh.verdict(found) == ["rail 1 is dead on all hosts: look at its switch or VLAN"]
    assert mesh.drawn(found).splitlines() == [
        "rail 1",
        "       node1  node2  node3",
        "node1  -      lost   lost",
        "node2  lost   -      lost",
        "node3  lost   lost   -",
    ]


def test_a_single_hole_is_a_route() -> None:
    found = everything()
    found[0]["node1"]["node3"] = "silent"
    assert mesh.verdict(found) == [
        "node1 does not reach node3 on rail 0 (silent): look at the route, and at these devices on both"
    ]
    assert mesh.as_json(found)["rails"]["0"]["node1"] == {"node2": "ok", "node3": "silent"}


def test_two_hosts_that_do_not_meet_on_any_rail_are_one_line_and_one_picture() -> None:
    found = everything()
    for rows in found.values():
        rows["node1"]["node3"] = "lost"
    assert mesh.verdict(found) == ["node1 does not reach node3 on any rail: look at the route between them"]
    assert mesh.drawn(found).splitlines()[0] == "rail 0, 1"
    assert mesh.drawn(found).count("rail") == 1


def test_nothing_at_all_is_said_in_one_line() -> None:
    found = everything(hosts=2)
    for rows in found.values():
        for row in rows.values():
            row.update(dict.fromkeys(row, "lost"))
    assert mesh.verdict(found) == [
        "no port reaches any other: look at what all share, switches, VLANs and the plan of addresses"
    ]


def test_every_port_asks_the_port_of_its_number_on_every_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh, "AT_ONCE", 1)
    asked: list[list[Any]] = []

    def ask(_host: Any, _expected: Any, _subject: str, name: str, *words: str) -> dict[str, str]:
        pairs = json.loads(words[2])
        asked.extend(pairs)
        assert (name, words[0]) == ("rails", "/opt/driver/tools/hccn_tool")
        return {f"{device} {address}": "ok" for device, address in pairs}

    class Host:
        def __init__(self, name: str) -> None:
            self.backend = type("Backend", (), {"get_hostname": lambda _self: name})()

    monkeypatch.setattr(mesh.probe, "ask", ask)
    addresses = {"node1": ["10.0.0.1", "10.0.1.1"], "node2": ["10.0.0.2", "10.0.1.2"], "node3": ["10.0.0.3"]}
    variables = {
        name: {
            "npu_network_install_path": "/opt",
            "npu_network_devices": [{"device": number, "address": text} for number, text in enumerate(known)],
        }
        for name, known in addresses.items()
    }
    found = mesh.measured({"node1": Host("node1")}, variables)
    assert asked == [[0, "10.0.0.2"], [1, "10.0.1.2"], [0, "10.0.0.3"]]
    assert found == {0: {"node1": {"node2": "ok", "node3": "ok"}}, 1: {"node1": {"node2": "ok"}}}
