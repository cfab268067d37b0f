"""The resolved site: every version, address, checksum, device, mount and argument as a plain value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from driver.catalog_models import Accelerator, HostNeeds
from driver.npu_network import NpuDevice
from driver.resolved_parts import Resolved, ResolvedConnection, ResolvedDocker, ResolvedPackage, ResolvedVault
from driver.site import AptSource, RpmSource, ServiceAccount
from driver.site_host import Npu, System

# Groups, roles, tags and plays, in the order in which they are played.
ROLES: Final = (
    "host_baseline",
    "docker_engine",
    "npu_driver",
    "npu_firmware",
    "npu_network",
    "ascend_docker_runtime",
    "obsutil",
    "container_image",
    "model_store",
    "ray_cluster",
    "inference_service",
)


class ResolvedImage(Resolved):
    """One container image: *sources* are tried in order, the result is tagged *name*; *digest* may be unknown ("")."""

    name: str
    digest: str
    sources: tuple[str, ...]
    architecture: str
    size_bytes: int


class ResolvedModel(Resolved):
    """One model on disk; *endpoint* is the hub's address, "" for the client's own default."""

    name: str
    path: str
    source: Literal["modelscope", "huggingface"]
    repo: str
    revision: str
    endpoint: str
    size_bytes: int
    hosts: tuple[str, ...]


class HostModel(Resolved):
    """A model as one host's role gets it; *image* is the image whose client fetches it."""

    name: str
    path: str
    source: str
    repo: str
    revision: str
    endpoint: str
    image: str
    size_bytes: int


class RayMember(Resolved):
    """One Ray container of one service on one host."""

    name: str
    unit: str
    container: str
    role: Literal["head", "worker"]
    head_address: str
    port: int
    npus_total: int
    npus_local: int
    hosts_total: int
    resource: str
    image: str
    devices: tuple[str, ...]
    mounts_required: tuple[str, ...]
    argv: tuple[str, ...]
    start_argv: tuple[str, ...]
    environment: dict[str, str]
    digest: str


class HostService(Resolved):
    """One service on the host that answers for it."""

    name: str
    unit: str
    container: str
    kind: Literal["docker-run", "exec-in-ray"]
    after_unit: str
    argv: tuple[str, ...]
    stop_argv: tuple[str, ...]
    engine_argv: tuple[str, ...]
    port: int
    address: str
    health_url: str
    models_url: str
    served_name: str
    model_path: str
    image: str
    cards: tuple[int, ...]
    ready_timeout_seconds: int
    digest: str


class ResolvedHost(Resolved):
    """One server with everything that is to be on it; *hbm_mib* is the memory of one card."""

    name: str
    address: str
    interface: str
    arch: str
    system: str
    apt: tuple[AptSource, ...]
    rpm: tuple[RpmSource, ...]
    accelerator: Accelerator
    product: str
    hbm_mib: int
    count: int
    roles: tuple[str, ...]
    driver: ResolvedPackage
    firmware: ResolvedPackage
    docker_runtime: ResolvedPackage
    docker_static: ResolvedPackage | None
    obsutil: ResolvedPackage | None
    npu_network: tuple[NpuDevice, ...]
    boot_timeout_seconds: int
    device_nodes: tuple[str, ...]
    images: tuple[ResolvedImage, ...]
    models: tuple[HostModel, ...]
    ray_members: tuple[RayMember, ...]
    services: tuple[HostService, ...]

    @property
    def apt_sources(self) -> list[dict[str, Any]]:
        """Return the apt repositories of this host."""
        return [source.model_dump(exclude={"hosts"}) for source in self.apt]

    @property
    def rpm_sources(self) -> list[dict[str, Any]]:
        """Return the RPM repositories of this host."""
        return [source.model_dump(exclude={"hosts"}) for source in self.rpm]


class ResolvedService(Resolved):
    """One served model; *url* is its address, *argv* the engine's command line, *max_model_len* in tokens."""

    name: str
    engine: str
    version: str
    hosts: tuple[str, ...]
    head: str
    port: int
    url: str
    health_url: str
    models_url: str
    chat_url: str
    metrics_url: str
    served_name: str
    model: str
    model_path: str
    image: str
    cards: tuple[int, ...]
    tensor: int
    pipeline: int
    distributed: str
    max_model_len: int
    argv: tuple[str, ...]
    ready_timeout_seconds: int


class ResolvedSite(Resolved):
    """A whole site; the only input of everything downstream. *warnings* are worth saying and refuse nothing."""

    name: str
    folder: Path
    rendered: Path
    release: str
    install_path: str
    accept_eula: bool
    allow_downgrade: tuple[str, ...]
    connection: ResolvedConnection
    account: ServiceAccount
    host_needs: HostNeeds
    system: System
    npu: Npu
    npu_tls: str
    docker: ResolvedDocker
    obsutil_endpoint: str
    secrets: dict[str, dict[str, str]]
    vault: ResolvedVault | None
    hosts: tuple[ResolvedHost, ...]
    services: tuple[ResolvedService, ...]
    models: tuple[ResolvedModel, ...]
    images: tuple[ResolvedImage, ...]
    warnings: tuple[str, ...]

    def host(self, name: str) -> ResolvedHost:
        """Return the host called *name*; raises KeyError."""
        return next((host for host in self.hosts if host.name == name), None) or _absent("host", name)

    def service(self, name: str) -> ResolvedService:
        """Return the service called *name*; raises KeyError."""
        return next((service for service in self.services if service.name == name), None) or _absent("service", name)

    def members(self, role: str) -> tuple[ResolvedHost, ...]:
        """Return the hosts of the group *role*."""
        return tuple(host for host in self.hosts if role in host.roles)

    def group(self, role: str) -> dict[str, dict[str, str]]:
        """Return the group *role* as an inventory writes it: its hosts by name, without variables of their own."""
        return {host.name: {} for host in self.members(role)}


def _absent(kind: str, name: str) -> Any:
    raise KeyError(f"no {kind} {name}")
