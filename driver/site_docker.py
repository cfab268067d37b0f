"""What a site file says about the container engine and the tools beside it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt

from driver.site_values import (
    Account,
    Count,
    Endpoint,
    FilePath,
    Host,
    Label,
    MountPath,
    Secret,
    Sha256,
    Size,
    Spec,
    Url,
)

Limit = Annotated[StrictInt, Field(ge=-1, description="a number, -1 for no limit")]


class DockerRepository(Spec):
    """Docker's own repository, or a copy of it; its key comes from a file of this machine, or from the repository."""

    uri: Url | None = None
    key_file: FilePath | None = None
    key_sha256: Sha256 | None = None


class DockerLog(Spec):
    """When a container's log is turned over, and how many of them are kept."""

    max_size: Size = "100m"
    max_file: Count = 3


class Ulimits(Spec):
    """What containers may have unless they say otherwise; what is absent is the engine's."""

    nofile: Count | None = None  # the kernel refuses more than its fs.nr_open, and no limit is more
    memlock: Limit | None = None


class Proxy(Spec):
    """The proxies of the engine; hosts of the site and its mirrors never go through them."""

    http: Url | None = None
    https: Url | None = None
    no_proxy: tuple[Host, ...] = ()


class Docker(Spec):
    """The container engine: from the distribution, from Docker's repository or archive, or present already."""

    source: Literal["distribution", "docker", "static", "present"] = "distribution"
    version: Label | None = None
    repository: DockerRepository | None = None
    data_root: MountPath | None = None
    registry_mirrors: tuple[Url, ...] = ()
    log: DockerLog | None = None
    ulimits: Ulimits = Ulimits()
    proxy: Proxy | None = None
    default_runtime: Literal["ascend", "keep"] = "ascend"
    runtime_mounts: tuple[MountPath, ...] = ()
    daemon_options: dict[str, Any] = Field(default_factory=dict)
    users: tuple[Account, ...] = ()


class Obsutil(Spec):
    """The vendor's client of the object storage, with the keys that it logs in with."""

    enabled: StrictBool = False
    endpoint: Endpoint | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None
