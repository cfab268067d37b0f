"""What a site file says about a server: its system, its account, its cards, and how driver changes go about."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, Tag

from driver.site_values import (
    Account,
    Address,
    Count,
    FilePath,
    Interface,
    Label,
    Name,
    Netmask,
    Spec,
    TimeServer,
    Unit,
)


class TimeSync(Spec):
    """The clock is kept by chrony; without *servers* by those that the system's package names."""

    servers: tuple[TimeServer, ...] = ()


class System(Spec):
    """What the site wants of every host's system; what is absent is left alone."""

    selinux: Literal["enforcing", "permissive"] | None = None
    firewalld: Literal["running", "stopped"] | None = None
    time_sync: TimeSync | None = None
    ip_forward: StrictBool = False
    hold_kernel: StrictBool = False


class AcceptFrom(Spec):
    """The oldest versions that are good enough where they are installed already."""

    driver: Label | None = None
    firmware: Label | None = None


class Signature(Spec):
    """What a signed delivery is verified with: files of this machine, PEM or DER."""

    root_certificates: Annotated[tuple[FilePath, ...], Field(min_length=1, description="a list of certificate files")]
    revocation_lists: tuple[FilePath, ...] = ()


class Reboots(Spec):
    """How many hosts are rebooted at first, how many at a time afterwards, and how long each may take."""

    canary: Count = 1
    batch: Count = 10
    timeout_seconds: Count | None = None


class Npu(Spec):
    """How drivers and firmware are changed."""

    accept_from: AcceptFrom = AcceptFrom()
    modules_signed: StrictBool = False
    drain: tuple[Unit, ...] = ()
    signature: Signature | None = None
    reboot: Reboots = Reboots()


class ServiceAccount(Spec):
    """The account that owns the device nodes; the vendor's installer wants these names unless told otherwise."""

    name: Account = "HwHiAiUser"
    group: Account = "HwHiAiUser"
    uid: Count = 1000
    gid: Count = 1000


class Cards(Spec):
    """The accelerators of a host, by product."""

    type: Name
    product: Label
    count: Count


def _list_kind(value: Any) -> str:
    return "one" if isinstance(value, str) else "list"


OnePerDevice = Annotated[
    Annotated[Address, Tag("one")] | Annotated[tuple[Address, ...], Tag("list")], Discriminator(_list_kind)
]


class NpuNetwork(Spec):
    """The network of a host's chips: an address for each; gateway and netdetect are one for all, or one for each."""

    addresses: Annotated[tuple[Address, ...], Field(min_length=1, description="a list with one address per chip")]
    netmask: Netmask
    gateway: OnePerDevice | None = None
    netdetect: OnePerDevice | None = None


class SiteHost(Spec):
    """One server."""

    name: Name
    address: Address
    interface: Interface | None = None
    arch: Literal["x86_64", "aarch64"] = "x86_64"
    system: Name | None = None
    accelerator: Annotated[Cards, Field(description="type, product and count of the cards")]
    npu_network: NpuNetwork | None = None
