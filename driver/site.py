"""The specification of a site: the only file that a person writes, as frozen models that refuse unknown keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, StrictBool, StrictInt, Tag

from driver.site_bundle import Bundle
from driver.site_connection import AptSource, Connection, Mirrors, RegistryMirror, RpmSource, Vault
from driver.site_docker import Docker, Obsutil
from driver.site_host import Npu, NpuNetwork, ServiceAccount, SiteHost, System
from driver.site_images import RegistryLogin, SiteImage
from driver.site_models import Lock, Moves, SiteModel, Tokens
from driver.site_values import (
    Count,
    ModelName,
    MountPath,
    Name,
    Port,
    ServiceName,
    Sha256,
    Size,
    Spec,
    Variable,
)

__all__ = [
    "AptSource",
    "CardCount",
    "Docker",
    "Lock",
    "NpuNetwork",
    "Parallel",
    "RegistryMirror",
    "RpmSource",
    "ServiceAccount",
    "Sha256",
    "Site",
    "SiteHost",
    "SiteModel",
    "SiteService",
    "Spec",
]


class CardCount(Spec):
    """The first *count* cards of each host."""

    count: Count


def _cards_kind(value: Any) -> str:
    return "count" if isinstance(value, dict | CardCount) else "list"


CardIndex = Annotated[StrictInt, Field(ge=0)]
CardChoice = Annotated[
    Annotated[tuple[CardIndex, ...], Tag("list")] | Annotated[CardCount, Tag("count")],
    Discriminator(_cards_kind),
]


class Parallel(Spec):
    """How the model is cut: tensor x pipeline must be the number of cards of the service."""

    tensor: Count = 1
    pipeline: Count = 1


class SiteService(Spec):
    """One served model; the first host is the head, the one that answers."""

    name: ServiceName
    engine: Annotated[str, Field(description="an engine of the catalog")] = "vllm"
    version: Annotated[str, Field(description="a version of the engine in the catalog")]
    variant: Annotated[str, Field(description="a variant of the image in the catalog")] | None = None
    model: Annotated[str, Field(description="a model that the site lists under models")]
    served_name: ModelName | None = None
    hosts: Annotated[tuple[Name, ...], Field(min_length=1, description="a list of names from hosts")]
    cards: CardChoice | None = None
    parallel: Parallel = Parallel()
    distributed: Literal["ray", "none"] = "none"
    port: Port
    ray_port: Port | None = None
    shm_size: Size | None = None
    mounts: tuple[MountPath, ...] = ()
    arguments: dict[str, Any] = Field(default_factory=dict)
    environment: dict[Variable, str] = Field(default_factory=dict)
    ready_timeout_seconds: Count | None = None


def _word_of_switch(value: Any) -> Any:
    """Return the word that YAML has read as a boolean."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


Switch = Annotated[Literal["off", "on"], BeforeValidator(_word_of_switch)]


class Site(Spec):
    """A whole site file."""

    site: Name
    release: Annotated[str, Field(description="a release of the catalog")]
    connection: Annotated[Connection, Field(description="user and keys of the SSH connection")]
    mirrors: Mirrors = Mirrors()
    service_account: ServiceAccount = ServiceAccount()
    vault: Vault | None = None
    system: System = System()
    npu: Npu = Npu()
    npu_tls: Switch | None = None
    docker: Docker = Docker()
    accept_eula: StrictBool = False
    allow_downgrade: tuple[Literal["npu_driver", "npu_firmware"], ...] = ()
    checksums: dict[str, Sha256] = Field(default_factory=dict)
    hosts: Annotated[tuple[SiteHost, ...], Field(min_length=1, description="a list of servers")]
    models: tuple[SiteModel, ...] = ()
    moves: Moves = Moves()
    tokens: Tokens = Tokens()
    registries: tuple[RegistryLogin, ...] = ()
    images: tuple[SiteImage, ...] = ()
    bundle: Bundle | None = None
    services: tuple[SiteService, ...] = ()
    obsutil: Obsutil = Obsutil()
