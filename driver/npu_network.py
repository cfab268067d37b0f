"""The network of the chips: what the vendor's rules allow, and every address as a plain value.

HCCL talks from chip to chip over ports of the chips themselves. A wrong plan of addresses shows as a time-out after
minutes of loading a model, so it is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final, Protocol

from driver.site_values import Spec

if TYPE_CHECKING:
    from driver.catalog_models import Accelerator
    from driver.faults import Location
    from driver.findings import Findings
    from driver.site_host import NpuNetwork, SiteHost

# A subnet has room for devices, their peers and a gateway, and none spans half of the address space.
_PREFIX_LEAST: Final = 8
_PREFIX_MOST: Final = 30
# The chips' system uses these itself; a detection that points into them never succeeds.
_RESERVED: Final = IPv4Network("192.168.0.0/21")
_RAILS_OF_FOUR: Final = 4


class NpuDevice(Spec):
    """The port of one chip; *gateway* and *netdetect* may be "" (none)."""

    device: int
    address: str
    netmask: str
    gateway: str
    netdetect: str


class _Rule(Protocol):
    def __call__(self, check: _HostCheck) -> None: ...


def devices(host: SiteHost) -> tuple[NpuDevice, ...]:
    """Return the ports of *host* in the order of their device numbers; () when the site says nothing of them."""
    given = host.npu_network
    if given is None:
        return ()
    return tuple(
        NpuDevice(
            device=number,
            address=address,
            netmask=given.netmask,
            gateway=_of_device(given.gateway, number),
            netdetect=_of_device(given.netdetect, number) or _of_device(given.gateway, number),
        )
        for number, address in enumerate(given.addresses)
    )


def _of_device(given: str | tuple[str, ...] | None, number: int) -> str:
    """Return what holds for device *number*, "" where nothing does; a list that is too short is a fault of its own."""
    if given is None or isinstance(given, str):
        return given or ""
    return given[number] if number < len(given) else ""


def check(hosts: Sequence[SiteHost], profiles: Mapping[str, Accelerator], found: Findings) -> None:
    """Refuse addresses that the chips of *hosts* could not use, or that two of them would share."""
    for index, host in enumerate(hosts):
        profile = profiles.get(host.accelerator.type)
        if host.npu_network is None or profile is None:
            continue
        where: Location = ("hosts", index, "npu_network")
        if profile.network is None:
            text = f"addresses for {profile.name}, whose chips have no network ports"
            found.refuse(where, text, "none: these chips talk over PCIe only", "remove npu_network from this host")
            continue
        _HostCheck(host, host.npu_network, profile, found, where).run()
    _unique(hosts, found)
    _reachable(hosts, found)


@dataclass(frozen=True, slots=True)
class _HostCheck:
    """The rules for the ports of one host."""

    host: SiteHost
    given: NpuNetwork
    profile: Accelerator
    found: Findings
    where: Location

    def run(self) -> None:
        """Find every fault within the host."""
        if not self._counts():
            return
        prefix = self.network(0).prefixlen
        if not _PREFIX_LEAST <= prefix <= _PREFIX_MOST:
            expected = f"a mask from /{_PREFIX_LEAST} to /{_PREFIX_MOST}"
            self.found.refuse((*self.where, "netmask"), f"{self.given.netmask} (/{prefix})", expected, "correct it")
            return
        for number in range(len(self.given.addresses)):
            self._device(number)
        network = self.profile.network
        if network is not None:
            _RULES[network.rule](self)

    def _counts(self) -> bool:
        """Return whether every list has one entry for each device."""
        count, good = self.host.accelerator.count, True
        for key in ("addresses", "gateway", "netdetect"):
            values = getattr(self.given, key)
            if isinstance(values, tuple) and len(values) != count:
                expected = f"{count}, one for each device of {self.host.name} (accelerator.count)"
                advice = "list them in the order of the device numbers"
                self.found.refuse((*self.where, key), f"{len(values)} addresses", expected, advice)
                good = False
        return good

    def network(self, number: int) -> IPv4Network:
        """Return the subnet of device *number*."""
        return IPv4Network(f"{self.given.addresses[number]}/{self.given.netmask}", strict=False)

    def refuse(self, number: int, expected: str, advice: str) -> None:
        """Refuse the address of device *number* for the subnet that it is in."""
        text = f"{self.given.addresses[number]} in {self.network(number)}"
        self.found.refuse((*self.where, "addresses", number), text, expected, advice)

    def _device(self, number: int) -> None:
        address, subnet = IPv4Address(self.given.addresses[number]), self.network(number)
        for bad, what in ((subnet.network_address, "name"), (subnet.broadcast_address, "broadcast address")):
            if address == bad:
                text = f"{address}, the {what} of {subnet}"
                self.found.refuse(
                    (*self.where, "addresses", number), text, "an address of a device", "choose another one"
                )
        for key in ("gateway", "netdetect"):
            self._neighbour(key, number, subnet)
        detected = _of_device(self.given.netdetect, number)
        target = detected or _of_device(self.given.gateway, number)
        if target and IPv4Address(target) in _RESERVED:
            key = "netdetect" if detected else "gateway"
            text = f"{target}" if detected else f"{target}, which is also what the device checks its network with"
            expected = f"an address outside of {_RESERVED}, which the chips use themselves"
            self.found.refuse(self._place(key, number), text, expected, "choose another subnet for the devices")

    def _place(self, key: str, number: int) -> Location:
        listed = isinstance(getattr(self.given, key), tuple)
        return (*self.where, key, number) if listed else (*self.where, key)

    def _neighbour(self, key: str, number: int, subnet: IPv4Network) -> None:
        """Refuse a gateway or netdetect that the device could not reach without a gateway, or that is the device."""
        text = _of_device(getattr(self.given, key), number)
        if not text:
            return
        place, address = self._place(key, number), IPv4Address(text)
        if address not in subnet or address in (subnet.network_address, subnet.broadcast_address):
            alone = len(place) == len(self.where) + 1
            advice = f"list one {key} per device" if alone and self._split() else "correct it, or the netmask"
            self.found.refuse(place, text, f"an address in {subnet}, the subnet of device {number}", advice)
        elif text == self.given.addresses[number]:
            self.found.refuse(place, f"{text}, the address of device {number} itself", "another one", "correct it")

    def _split(self) -> bool:
        return len({self.network(number) for number in range(len(self.given.addresses))}) > 1


def _one_subnet(check: _HostCheck) -> None:
    """All devices of a server are in one subnet."""
    first = check.network(0)
    for number in range(1, len(check.given.addresses)):
        if check.network(number) != first:
            expected = f"an address in {first} as device 0: the devices of a server share one subnet"
            check.refuse(number, expected, "correct it, or the netmask")


def _four_subnets(check: _HostCheck) -> None:
    """Devices 0 and 4, 1 and 5, 2 and 6, 3 and 7 share a subnet each."""
    for number in range(len(check.given.addresses)):
        first = number % _RAILS_OF_FOUR
        if number != first and check.network(number) != check.network(first):
            rule = "0 and 4, 1 and 5, 2 and 6, 3 and 7 share a subnet"
            expected = f"an address in {check.network(first)} as device {first}: {rule}"
            check.refuse(number, expected, "correct it")
        elif number == first:
            _apart(check, number, range(number), "the first four devices have a subnet each")


def _split_cards(check: _HostCheck) -> None:
    """The chips of one card are in different subnets."""
    chips = check.profile.chips_per_card
    for number in range(len(check.given.addresses)):
        _apart(check, number, range(number - number % chips, number), "the chips of a card are in different subnets")


def _apart(check: _HostCheck, number: int, others: range, rule: str) -> None:
    same = [other for other in others if check.network(other) == check.network(number)]
    if same:
        check.refuse(number, f"another subnet than device {same[0]}: {rule}", "correct it, or the netmask")


_RULES: Final[Mapping[str, _Rule]] = {
    "one-subnet": _one_subnet,
    "four-subnets": _four_subnets,
    "split-cards": _split_cards,
}


def _ports(hosts: Sequence[SiteHost]) -> Iterator[tuple[Location, SiteHost, NpuDevice]]:
    for index, host in enumerate(hosts):
        for port in devices(host):
            yield ("hosts", index, "npu_network", "addresses", port.device), host, port


def _unique(hosts: Sequence[SiteHost], found: Findings) -> None:
    """Refuse an address that somebody in the cluster has already: another device, a gateway, a server."""
    taken = {host.address: f"the address of {host.name} itself" for host in hosts}
    for _, host, port in _ports(hosts):
        # netdetect may be any address that answers, another device's, too
        if port.gateway and port.gateway != port.address:
            taken.setdefault(port.gateway, f"a gateway of {host.name}")
    for where, host, port in _ports(hosts):
        if port.address in taken:
            text = f"{port.address}, which is {taken[port.address]}"
            found.refuse(where, text, "an address of its own in the whole cluster", "correct one of them")
        taken.setdefault(port.address, f"device {port.device} of {host.name}")


def _reachable(hosts: Sequence[SiteHost], found: Findings) -> None:
    """Warn of devices of one number that no route connects: HCCL meets them on different hosts."""
    first: dict[int, tuple[SiteHost, NpuDevice]] = {}
    for where, host, port in _ports(hosts):
        other_host, other = first.setdefault(port.device, (host, port))
        apart = _subnet(port) != _subnet(other)
        if apart and not (port.gateway and other.gateway):
            text = (
                f"{port.address} and device {other.device} of {other_host.name} ({other.address}) are in different "
                f"subnets and not both have a gateway: they cannot reach each other"
            )
            found.warn(where, text)


def _subnet(port: NpuDevice) -> IPv4Network:
    return IPv4Network(f"{port.address}/{port.netmask}", strict=False)
