"""What the other files of the catalog may say, as frozen models: accelerators, models, releases."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, model_validator

from driver.engine_models import EngineArgument, Natural, Positive, Words
from driver.site_values import Matching, Sha256, Spec, Url

Arch = Literal["x86_64", "aarch64", "noarch"]


class Product(Spec):
    """One product of an accelerator; memory as software sees it, in MiB per chip.

    *chips_per_card* is given where it is another one than the family's.
    """

    hbm_mib: Positive
    chips_per_card: Positive | None = None


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


class NetworkRule(Spec):
    """How the network addresses of a server's chips have to lie."""

    rule: Literal["one-subnet", "four-subnets", "split-cards"]


PciPair = Annotated[
    str, AfterValidator(Matching(r"[0-9a-f]{4}:[0-9a-f]{4}", "two PCI ids such as 19e5:d802, in small letters"))
]


class Accelerator(Spec):
    """One family of accelerators: the device id tells the generation, *boards* the product by its subsystem ids."""

    name: str
    title: str
    vendor: str
    generation: str
    package_family: str
    pci_ids: tuple[PciPair, ...]
    boards: dict[PciPair, str] = Field(default_factory=dict)
    smi_name_pattern: str
    monitor: str
    chips_per_server_max: Positive
    chips_per_card: Positive = 1
    network: NetworkRule | None = None
    products: dict[str, Product]
    device_nodes: DeviceNodes
    mounts: Mounts
    container: Container
    visible_devices: VisibleDevices
    ray_resource: str
    image_suffix: str
    soc_pattern: str = ""

    def chips_of(self, product: str) -> int:
        """Return how many chips a card of *product* has."""
        return self.products[product].chips_per_card or self.chips_per_card


class HubSource(Spec):
    """A model's repository on one hub; *revision* is a branch, a tag or a commit."""

    repo: str
    revision: str


class GitSource(Spec):
    """A model's git repository, with its big files in git-lfs."""

    url: Url
    revision: str

    @property
    def repo(self) -> str:
        """Return the name that everything else calls the place by."""
        return self.url


class ObsSource(Spec):
    """A model's folder in an object storage."""

    bucket: Annotated[str, AfterValidator(Matching(r"[a-z0-9][a-z0-9.-]+", "the name of a bucket"))]
    prefix: Annotated[str, AfterValidator(Matching(r"[^/\x00-\x1f][^\x00-\x1f]*", "a folder below the bucket"))]
    revision: Literal[""] = ""

    @property
    def repo(self) -> str:
        """Return the name that everything else calls the place by."""
        return f"{self.bucket}/{self.prefix.strip('/')}"


class HttpSource(Spec):
    """A model's folder on a web server, with a manifest of its files."""

    url: Url
    revision: Literal[""] = ""

    @property
    def repo(self) -> str:
        """Return the name that everything else calls the place by."""
        return self.url


class ModelSources(Spec):
    """Where a model is to be had."""

    modelscope: HubSource | None = None
    huggingface: HubSource | None = None
    openmind: HubSource | None = None
    obs: ObsSource | None = None
    git: GitSource | None = None
    http: HttpSource | None = None

    @property
    def names(self) -> list[str]:
        """Return the sources that have the model."""
        return [name for name in type(self).model_fields if getattr(self, name) is not None]

    def get(self, name: str) -> ModelSource | None:
        """Return the source *name*, None when it does not have the model."""
        found: ModelSource | None = getattr(self, name, None) if name in type(self).model_fields else None
        return found


ModelSource = HubSource | GitSource | ObsSource | HttpSource


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
    sources: ModelSources
    architecture: Architecture
    arguments: dict[str, tuple[EngineArgument, ...]] = Field(default_factory=dict)


class Archive(Spec):
    """What is inside of a signed delivery: X.zip with X.zip.cms and X.zip.crl; X.zip holds the file *run*."""

    run: str


class PackageFile(Spec):
    """One file; without *url* it lies below the release's base_url, without *sha256* the site must give it."""

    file: str
    url: str | None = None
    sha256: Sha256 | None = None
    size: Natural = 0
    archive: Archive | None = None

    @model_validator(mode="after")
    def _archives_are_zips(self) -> Self:
        """Refuse a .zip that does not say what is inside, and what says so and is none."""
        if self.file.endswith(".zip") != (self.archive is not None):
            raise ValueError("archive: {run: NAME} for a file that ends with .zip, and for no other")
        return self


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
    """The oldest container engine that the set works with; where Docker's own packages and archive are."""

    version_min: str
    repository: Url | None = None
    static: Package | None = None


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
