"""The network ports of the chips: their addresses, links, health and TLS switch; with --deep who reaches whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.compliance import judge, mesh
from tests.compliance.hccn import UNKNOWN, Ports, most_switches, odd_switches, other_switches

KINDS = ("address", "netmask", "gateway", "netdetect")


def test_configuration_file_has_the_addresses(host: Any, expected: dict[str, Any]) -> None:
    path = expected["npu_network_config_path"]
    said = judge.output(host, path, "stat -c '%%F|%%a|%%U' %s", path)
    judge.equal(host, f"kind, mode and owner of {path}", "regular file|644|root", said)
    lines = dict(re.findall(r"(?m)^\s*(\w+)\s*=\s*(\S+)", judge.content(host, path)))
    for entry in expected["npu_network_devices"]:
        for kind in KINDS:
            key = f"{kind}_{entry['device']}"
            judge.true(
                host, f"{key} in {path}", not entry[kind] or lines.get(key) == entry[kind], entry[kind], lines.get(key)
            )


def test_ports_have_the_addresses_in_the_inventory(host: Any, expected: dict[str, Any], ports: Ports) -> None:
    for entry in expected["npu_network_devices"]:
        port = ports.found.get(entry["device"], {})
        for kind in KINDS:
            found = port.get(kind) or "none"
            subject = f"{kind} in force on device {entry['device']}"
            judge.true(host, subject, not entry[kind] or found == entry[kind], entry[kind], found)


def test_every_link_is_up(host: Any, ports: Ports) -> None:
    for number, port in ports.found.items():
        if port["link"] != "UP":
            place = ports.switch_port(number) or "no LLDP neighbour"
            advice = f"look at its switch port ({place}) and at `hccn_tool -i {number} -optical -g`"
            judge.fail(host, f"link of device {number}", "UP", f"{port['link'] or 'unknown'}; {advice}")


def test_every_port_finds_its_network_healthy(host: Any, expected: dict[str, Any], ports: Ports) -> None:
    for entry in expected["npu_network_devices"]:
        number = entry["device"]
        health = ports.found.get(number, {}).get("health") or "unknown"
        # Init: there is nothing to check with
        good = health == "Success" or (health == "Init" and not entry["netdetect"])
        asked = f"it checks with {entry['netdetect']}" if entry["netdetect"] else "it has no netdetect"
        judge.true(host, f"network health of device {number}", good, "Success", f"{health}; {asked}")


def test_tls_switch_is_the_same_on_every_port(host: Any, expected: dict[str, Any], ports: Ports) -> None:
    switches = ports.switches()
    wanted = expected["npu_network_tls"] or most_switches({"": switches})
    others = other_switches(switches, wanted)
    asked = "known" if wanted == UNKNOWN else wanted
    judge.equal(host, f"ports whose TLS switch is not {asked}", "none", judge.listed(others))


def test_tls_switch_is_the_same_everywhere(host: Any, all_ports: Mapping[str, Ports]) -> None:
    switches = {name: ports.switches() for name, ports in all_ports.items()}
    most, others = odd_switches(switches, host.backend.get_hostname())
    advice = "ports that differ do not connect, and only time out: set all to the same with npu_tls in site.yml"
    judge.true(host, "TLS switch", not others, f"{most} as on most ports of the site", f"{others}; {advice}")


@pytest.mark.deep
def test_every_rail_reaches_every_host(host: Any, rails: mesh.Matrix) -> None:
    name = host.backend.get_hostname()
    mine = [(rail, target) for rail, source, target in mesh.holes(rails) if source == name]
    if not mine:
        return
    shown = judge.listed(f"{target} on rail {rail}" for rail, target in mine)
    advice = "\n".join(["", *mesh.verdict(rails), mesh.drawn(rails)])
    pytest.fail(
        f"{name}: pings from its ports: expected an answer from every host, found none from {shown}{advice}",
        pytrace=False,
    )
