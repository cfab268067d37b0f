"""The rules for the network of the chips, each by its message, and what a site becomes that keeps them."""

from __future__ import annotations

from typing import Any

import pytest

from driver import catalog, paths
from driver.findings import Findings
from driver.npu_network import NpuDevice, check, devices
from driver.site import SiteHost

A2 = "one-subnet"
ACCELERATORS = catalog.load(paths.CATALOG).accelerators
MASK = "255.255.255.0"


def family(rule: str) -> str:
    """Return an accelerator of the catalog with this *rule*: tests name no chip."""
    return next(name for name, entry in ACCELERATORS.items() if entry.network and entry.network.rule == rule)


def host(rule: str, addresses: list[str], name: str = "node1", own: str = "10.77.0.11", **more: Any) -> SiteHost:
    kind = family(rule) if rule else next(name for name, entry in ACCELERATORS.items() if entry.network is None)
    cards = {
        "type": kind,
        "product": next(iter(ACCELERATORS[kind].products)),
        "count": more.pop("count", len(addresses)),
    }
    network = {"addresses": addresses, "netmask": MASK, **more}
    return SiteHost.model_validate({"name": name, "address": own, "accelerator": cards, "npu_network": network})


def faults(*hosts: SiteHost) -> list[str]:
    found = Findings("site.yml")
    check(hosts, ACCELERATORS, found)
    return [str(fault).removeprefix("site.yml: ") for fault in found.faults]


def warnings(*hosts: SiteHost) -> list[str]:
    found = Findings("site.yml")
    check(hosts, ACCELERATORS, found)
    return found.warnings


def subnet(third: int, first: int = 1, count: int = 8) -> list[str]:
    return [f"10.20.{third}.{last}" for last in range(first, first + count)]


FOUR = [f"10.2{number % 4}.0.{number + 1}" for number in range(8)]
SPLIT = [f"10.2{number % 2}.0.{number + 1}" for number in range(16)]


@pytest.mark.parametrize(("rule", "addresses"), [(A2, subnet(0)), ("four-subnets", FOUR), ("split-cards", SPLIT)])
def test_a_plan_that_keeps_its_rule_is_taken(rule: str, addresses: list[str]) -> None:
    assert faults(host(rule, addresses)) == []


def test_a_host_without_network_has_no_devices() -> None:
    bare = host(A2, subnet(0)).model_copy(update={"npu_network": None})
    assert devices(bare) == ()
    assert faults(bare) == []


def test_every_device_gets_its_values_and_netdetect_is_the_gateway_when_not_given() -> None:
    first, second = devices(host(A2, subnet(0, count=2), gateway=["10.20.0.253", "10.20.0.254"]))
    assert first == NpuDevice(
        device=0, address="10.20.0.1", netmask=MASK, gateway="10.20.0.253", netdetect="10.20.0.253"
    )
    assert (second.gateway, second.netdetect) == ("10.20.0.254", "10.20.0.254")
    (alone,) = devices(host(A2, ["10.20.0.1"], netdetect="10.20.0.9"))
    assert (alone.gateway, alone.netdetect) == ("", "10.20.0.9")


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        (
            [host(A2, subnet(0, count=6), count=8)],
            "hosts.0.npu_network.addresses: found 6 addresses; expected 8, one for each device of node1 "
            "(accelerator.count); list them in the order of the device numbers",
        ),
        (
            [host(A2, subnet(0, count=2), gateway=["10.20.0.254"])],
            "hosts.0.npu_network.gateway: found 1 addresses; expected 2, one for each device of node1",
        ),
        (
            [host(A2, ["10.20.0.1", "10.20.1.2"])],
            "hosts.0.npu_network.addresses.1: found 10.20.1.2 in 10.20.1.0/24; expected an address in 10.20.0.0/24 as "
            "device 0: the devices of a server share one subnet; correct it, or the netmask",
        ),
        (
            [host("four-subnets", [*FOUR[:7], "10.20.0.8"])],
            "hosts.0.npu_network.addresses.7: found 10.20.0.8 in 10.20.0.0/24; expected an address in 10.23.0.0/24 as "
            "device 3: 0 and 4, 1 and 5, 2 and 6, 3 and 7 share a subnet; correct it",
        ),
        (
            [host("four-subnets", ["10.20.0.1", "10.20.0.2"])],
            "hosts.0.npu_network.addresses.1: found 10.20.0.2 in 10.20.0.0/24; expected another subnet than device 0: "
            "the first four devices have a subnet each",
        ),
        (
            [host("split-cards", ["10.20.0.1", "10.21.0.1", "10.20.0.2", "10.20.0.3"])],
            "hosts.0.npu_network.addresses.3: found 10.20.0.3 in 10.20.0.0/24; expected another subnet than device 2: "
            "the chips of a card are in different subnets",
        ),
        (
            [host("", ["10.20.0.1"])],
            "whose chips have no network ports; expected none: these chips talk over PCIe only; remove npu_network",
        ),
        (
            [host(A2, ["10.20.0.1", "10.20.0.1"])],
            "hosts.0.npu_network.addresses.1: found 10.20.0.1, which is device 0 of node1; expected an address of its "
            "own in the whole cluster; correct one of them",
        ),
        (
            [host(A2, ["10.20.0.1"]), host(A2, ["10.20.0.1"], "node2", "10.77.0.12")],
            "hosts.1.npu_network.addresses.0: found 10.20.0.1, which is device 0 of node1",
        ),
        (
            [host(A2, ["10.77.0.12"]), host(A2, ["10.77.0.77"], "node2", "10.77.0.12")],
            "hosts.0.npu_network.addresses.0: found 10.77.0.12, which is the address of node2 itself",
        ),
        (
            [host(A2, ["10.20.0.1"], gateway="10.20.0.9"), host(A2, ["10.20.0.9"], "node2", "10.77.0.12")],
            "hosts.1.npu_network.addresses.0: found 10.20.0.9, which is a gateway of node1",
        ),
        ([host(A2, ["10.20.0.0"])], "addresses.0: found 10.20.0.0, the name of 10.20.0.0/24; expected an address of a"),
        ([host(A2, ["10.20.0.255"])], "addresses.0: found 10.20.0.255, the broadcast address of 10.20.0.0/24"),
        (
            [host(A2, ["10.20.0.1"], gateway="10.20.1.254")],
            "hosts.0.npu_network.gateway: found 10.20.1.254; expected an address in 10.20.0.0/24, the subnet of device "
            "0; correct it, or the netmask",
        ),
        (
            [host("split-cards", SPLIT[:2], gateway="10.20.0.254")],
            "hosts.0.npu_network.gateway: found 10.20.0.254; expected an address in 10.21.0.0/24, the subnet of device "
            "1; list one gateway per device",
        ),
        (
            [host(A2, ["10.20.0.1"], gateway="10.20.0.1")],
            "gateway: found 10.20.0.1, the address of device 0 itself; expected another one",
        ),
        (
            [host(A2, ["10.20.0.1"], netdetect="10.20.9.1")],
            "hosts.0.npu_network.netdetect: found 10.20.9.1; expected an address in 10.20.0.0/24",
        ),
        (
            [host(A2, ["192.168.3.1"], netdetect="192.168.3.254")],
            "hosts.0.npu_network.netdetect: found 192.168.3.254; expected an address outside of 192.168.0.0/21, which "
            "the chips use themselves; choose another subnet for the devices",
        ),
        (
            [host(A2, ["192.168.7.1"], gateway="192.168.7.254")],
            "hosts.0.npu_network.gateway: found 192.168.7.254, which is also what the device checks its network with",
        ),
        (
            [host(A2, ["10.20.0.1"], netmask="255.255.255.255")],
            "hosts.0.npu_network.netmask: found 255.255.255.255 (/32); expected a mask from /8 to /30; correct it",
        ),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_refused_with_one_line(hosts: list[SiteHost], says: str) -> None:
    found = faults(*hosts)
    assert len(found) == 1, found
    assert says in found[0], found[0]


def test_the_subnet_behind_the_reserved_ones_is_free() -> None:
    assert faults(host(A2, ["192.168.8.1"], gateway="192.168.8.254")) == []


def test_devices_that_no_route_connects_are_worth_a_warning() -> None:
    near = host(A2, ["10.20.0.1"], gateway="10.20.0.254")
    far = host(A2, ["10.30.0.1"], "node2", "10.77.0.12")
    assert warnings(near, far) == [
        "site.yml: hosts.1.npu_network.addresses.0: 10.30.0.1 and device 0 of node1 (10.20.0.1) are in different "
        "subnets and not both have a gateway: they cannot reach each other"
    ]
    routed = host(A2, ["10.30.0.1"], "node2", "10.77.0.12", gateway="10.30.0.254")
    assert warnings(near, routed) == []
