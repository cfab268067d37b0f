"""The resolved site: every version, address, checksum, device, mount and argument as a plain value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from driver.catalog_models import Accelerator, HostNeeds
from driver.npu_network import NpuDevice
from driver.resolved_parts import Resolved, ResolvedConnection, ResolvedDocker, ResolvedPackage, ResolvedVault
from driver.site import AptSource, RpmSource, ServiceAccount
from driver.site_bundle import Bundle
from driver.site_host import Npu, System
from driver.site_models import LockedFile, SourceName

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


class Member(Resolved):
    """A host that passes files on, and gets them."""

    host: str
    address: str


class ResolvedImage(Resolved):
    """One container image: *sources* are tried in order, the result is tagged *name*.

    *digest* and *id*, what it is called when it was loaded, may be unknown (""). One with an *archive* is loaded from
    that: *fetch* is each, first, or the host that brings it, *members* pass it on. One with *build* is built there.
    """

    name: str
    digest: str
    id: str = ""
    sources: tuple[str, ...]
    architecture: str
    size_bytes: int
    chip: dict[str, Any] = Field(default_factory=dict)
    archive: dict[str, Any] = Field(default_factory=dict)
    build: dict[str, Any] = Field(default_factory=dict)
    fetch: str = "each"
    members: tuple[Member, ...] = ()


class ModelOnDisk(Resolved):
    """A model and how it comes to its hosts.

    *endpoint* is the source's address, "" for the client's own default; *repo* is the source's own name for the model
    (a hub's repository, an address, a folder), *origin* the address or folder that the site itself has named;
    *fetch* is each, controller, or the host that asks the source; *files* are those of the lock, none when unknown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, serialize_by_alias=True)

    name: str
    path: str
    source: SourceName
    repo: str
    revision: str
    endpoint: str
    size_bytes: int
    fetch: str
    shared: bool
    origin: Annotated[str, Field(alias="from")] = ""
    files: tuple[LockedFile, ...] = ()


class ResolvedModel(ModelOnDisk):
    """One model of the site and the hosts that need it; *requested* is what the catalog asks for."""

    hosts: tuple[str, ...]
    requested: str
    locked: bool

    @property
    def listable(self) -> bool:
        """Return whether this machine can list the files: a folder of a host is that host's to list."""
        return self.source != "path" or self.fetch == "controller"


class HostModel(ModelOnDisk):
    """A model as one host's role gets it; *image* is the image whose client fetches it."""

    image: str


class ResolvedMoves(Resolved):
    """How hosts pass files on to each other; nobody but the members takes part."""

    enabled: bool
    port: int
    rate_limit_mbit: int
    encrypt: bool
    members: tuple[Member, ...]


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
    """A whole site; the only input of everything downstream.

    *warnings* are worth saying and refuse nothing; *tokens* are the sources that are asked with a token.
    """

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
    bundle: Bundle | None
    secrets: dict[str, dict[str, str]]
    vault: ResolvedVault | None
    hosts: tuple[ResolvedHost, ...]
    services: tuple[ResolvedService, ...]
    models: tuple[ResolvedModel, ...]
    moves: ResolvedMoves
    tokens: tuple[str, ...]
    registries: tuple[dict[str, str], ...]
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
