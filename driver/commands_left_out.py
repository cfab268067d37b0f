"""What a site sets and the printed commands do not do: said in a comment each, with the role that does it."""

from __future__ import annotations

from collections.abc import Iterator

from driver.resolved import ResolvedHost, ResolvedSite


def baseline(site: ResolvedSite, host: ResolvedHost) -> list[str]:
    """Return the comments about the base of *host*."""
    system = site.system
    keys = [
        *(["mirrors.rpm"] if host.rpm else []),
        *(["system.selinux"] if system.selinux else []),
        *(["system.firewalld"] if system.firewalld else []),
        *(["system.time_sync"] if system.time_sync else []),
        *(["system.ip_forward"] if system.ip_forward else []),
        *(["system.hold_kernel"] if system.hold_kernel else []),
    ]
    return list(_lines(keys, "host_baseline"))


def driver(site: ResolvedSite) -> list[str]:
    """Return the comments about driver and firmware."""
    given = site.npu
    keys = [
        *(["npu.accept_from"] if given.accept_from.driver or given.accept_from.firmware else []),
        *(["npu.drain"] if given.drain else []),
        *(["npu.modules_signed"] if given.modules_signed else []),
    ]
    return list(_lines(keys, "npu_driver"))


def network(site: ResolvedSite, host: ResolvedHost) -> list[str]:
    """Return the comments about the ports of the chips."""
    return list(_lines(["npu_tls"] if site.npu_tls and "npu_network" in host.roles else [], "npu_network"))


def runtime(site: ResolvedSite) -> list[str]:
    """Return the comments about the container runtime of the chips."""
    keys = [
        *([] if site.docker.default_runtime else ["docker.default_runtime"]),
        *(["docker.runtime_mounts"] if site.docker.runtime_mounts else []),
    ]
    return list(_lines(keys, "ascend_docker_runtime"))


def _lines(keys: list[str], role: str) -> Iterator[str]:
    return (f"# not printed: {key} (role {role} does it)" for key in keys)
