"""What the other files of the catalog may say, as frozen models: accelerators, models, releases."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from driver.engine_models import EngineArgument, Natural, Positive, Words
from driver.site import Sha256, Spec

Arch = Literal["x86_64", "aarch64", "noarch"]


class Product(Spec):
    """One product of an accelerator; HBM as software sees it, in MiB per chip."""

    hbm_mib: Positive


class DeviceNodes(Spec):
    """Device nodes: *per_card* holds {card}, a driver's physical number; *control* belongs to all cards."""

    per_card: str
    control: Words


class Mounts(Spec):
    """Host paths that a container needs, each at the same path, read-only."""

    files: Words
    directories: Words

    @property
    def all(self) -> Words:
        """Return directories and files."""
        return (*self.directories, *self.files)


class Container(Spec):
    """How a container with this accelerator is started."""

    privileged: StrictBool
    network: str
    shm_size: str


class VisibleDevices(Spec):
    """The variables that choose cards: for the container runtime, and inside the process."""

    runtime: str
    process: str


class Accelerator(Spec):
    """One family of accelerators."""

    name: str
    title: str
    vendor: str
    generation: str
    package_family: str
    pci_ids: Words
    smi_name_pattern: str
    monitor: str
    chips_per_server_max: Positive
    products: dict[str, Product]
    device_nodes: DeviceNodes
    mounts: Mounts
    container: Container
    visible_devices: VisibleDevices
    ray_resource: str
    image_suffix: str


class ModelSource(Spec):
    """A model's repository on one hub."""

    repo: str
    revision: str


class Architecture(Spec):
    """The numbers of a model that memory and parallelism depend on; *context* in tokens."""

    layers: Positive
    attention_heads: Positive
    kv_heads: Positive
    head_dim: Positive
    hidden: Positive
    parameters: Positive
    context: Positive
    experts: Natural = 0


class Model(Spec):
    """One model in one precision; cache_bytes is the size of one element of the KV cache."""

    name: str
    title: str
    precision: str
    bytes_per_parameter: Annotated[float, Field(gt=0)]
    cache_bytes: Positive = 2
    size_bytes: Natural
    sources: dict[Literal["modelscope", "huggingface"], ModelSource]
    architecture: Architecture
    arguments: dict[str, tuple[EngineArgument, ...]] = Field(default_factory=dict)


class PackageFile(Spec):
    """One file; without *url* it lies below the release's base_url, without *sha256* the site must give it."""

    file: str
    url: str | None = None
    sha256: Sha256 | None = None
    size: Natural = 0


class Package(Spec):
    """One version of a vendor's package, by architecture."""

    version: str
    files: dict[Arch, PackageFile]
    eula: StrictBool = False
    install_timeout_seconds: Positive = 1800


class Family(Spec):
    """Driver and firmware of one package family; after a reboot the cards answer within *boot_timeout_seconds*."""

    driver: Package
    firmware: Package
    boot_timeout_seconds: Positive = 900


class DockerNeeds(Spec):
    """The oldest container engine that the set works with."""

    version_min: str


class HostNeeds(Spec):
    """What the installers ask of a host: commands, with the package that brings each, and the headers of its kernel."""

    commands: dict[str, str]
    kernel_headers: StrictBool
    account_shell: str


class Release(Spec):
    """Driver, firmware, container runtime and tools that belong together."""

    name: str
    title: str
    base_url: str | None = None
    install_path: str
    host: HostNeeds
    families: dict[str, Family]
    docker_runtime: Package
    docker: DockerNeeds
    obsutil: Package | None = None
