"""The specification of a site: the only file that a person writes, as frozen models that refuse unknown keys."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    Tag,
    model_validator,
)


@dataclass(frozen=True, slots=True)
class Matching:
    """A check of a text: it matches *pattern*, or the fault says that *what* was expected."""

    pattern: str
    what: str

    def __call__(self, text: str) -> str:
        """Return *text*; raises ValueError when it does not match as a whole."""
        if not re.fullmatch(self.pattern, text):
            raise ValueError(self.what)
        return text


def _ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise ValueError("an IPv4 address") from error


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("an http or https address")
    if parts.username or parts.password:
        raise ValueError("an address without user and password, because secrets do not belong into this file")
    return text.rstrip("/")


_WORD = "lower-case letters, digits and dashes"
_FOLDER = r"(/(?!\.\.?(/|$))[A-Za-z0-9._+@-]+)"  # neither . nor ..
Name = Annotated[str, AfterValidator(Matching(r"[a-z][a-z0-9-]{0,62}", f"a name of {_WORD}"))]
# The Ray containers of a service carry its name behind ray-.
ServiceName = Annotated[
    str,
    AfterValidator(Matching(r"(?!ray-)[a-z][a-z0-9-]{0,31}", f"a name of up to 32 {_WORD} that starts without ray-")),
]
Label = Annotated[
    str, AfterValidator(Matching(r"[A-Za-z0-9][A-Za-z0-9._+-]*", "a name of letters, digits, dots and dashes"))
]
ModelName = Annotated[
    str, AfterValidator(Matching(r"[A-Za-z0-9][A-Za-z0-9._:/-]*", "a name that clients call the model by"))
]
Address = Annotated[str, AfterValidator(_ipv4), Field(description="an IPv4 address")]
Url = Annotated[str, AfterValidator(_url), Field(description="an http or https address")]
Port = Annotated[StrictInt, Field(ge=1, le=65535, description="a port from 1 to 65535")]
HostPath = Annotated[
    str,
    AfterValidator(Matching(_FOLDER + "{2,}", "an absolute path of at least two folders, without spaces")),
]
MountPath = Annotated[str, AfterValidator(Matching(_FOLDER + "+", "an absolute path without spaces"))]
FilePath = Annotated[
    str, AfterValidator(Matching(r'[^"\n\r%,]+', "a path on this machine, relative to the folder of this file"))
]
Sha256 = Annotated[str, AfterValidator(Matching(r"[0-9a-f]{64}", "a SHA-256 of 64 lower-case hexadecimal digits"))]
Digest = Annotated[str, AfterValidator(Matching(r"sha256:[0-9a-f]{64}", "a digest such as sha256:… with 64 digits"))]
Registry = Annotated[
    str, AfterValidator(Matching(r"[A-Za-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)*", "a registry as host[:port][/path]"))
]
Account = Annotated[str, AfterValidator(Matching(r"[A-Za-z_][A-Za-z0-9_-]{0,31}", "the name of a Linux account"))]
Jump = Annotated[
    str, AfterValidator(Matching(r"[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+(:\d+)?", "a jump host as user@host[:port]"))
]
Interface = Annotated[str, AfterValidator(Matching(r"[A-Za-z0-9_.:-]{1,15}", "a network interface such as eth0"))]
Suite = Annotated[str, AfterValidator(Matching(r"[A-Za-z0-9./_-]+", "a suite of an apt repository"))]
TagSuffix = Annotated[str, AfterValidator(Matching(r"[A-Za-z0-9._-]*", "the end of an image tag"))]
Size = Annotated[str, AfterValidator(Matching(r"\d+[kmgKMG]", "a size such as 16g"))]
Variable = Annotated[str, AfterValidator(Matching(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable"))]
Count = Annotated[StrictInt, Field(ge=1, description="a number from 1")]


class Spec(BaseModel):
    """The base of every part of a site file: frozen, and no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Connection(Spec):
    """How every tool of ours reaches the hosts; rendered into one ssh_config."""

    user: Account
    port: Port = 22
    identity_file: FilePath | None = None
    known_hosts: FilePath = "~/.ssh/known_hosts"
    jump: Jump | None = None
    python: MountPath = "/usr/bin/python3"


class RegistryMirror(Spec):
    """A registry that holds copies: *prefix* stands for the upstream registry, *tag_suffix* is appended to the tag."""

    prefix: Registry
    tag_suffix: TagSuffix = ""


def _mirror_kind(value: Any) -> str:
    return "prefix" if isinstance(value, str) else "mirror"


Mirror = Annotated[
    Annotated[Registry, Tag("prefix")] | Annotated[RegistryMirror, Tag("mirror")], Discriminator(_mirror_kind)
]


class AptSource(Spec):
    """One apt repository; *exclusive* moves the host's other sources aside."""

    name: Name
    uri: Url
    suite: Suite
    components: tuple[Label, ...] = ("main",)
    key_file: FilePath | None = None
    exclusive: StrictBool = False


class Mirrors(Spec):
    """Where this site gets things from; everything that is absent comes from upstream."""

    packages: Url | None = None
    registries: dict[Registry, tuple[Mirror, ...]] = {}
    insecure_registries: tuple[Registry, ...] = ()
    hub: dict[Literal["modelscope", "huggingface"], Url] = {}
    apt: tuple[AptSource, ...] = ()


class ServiceAccount(Spec):
    """The account that owns the device nodes; the vendor's installer wants these names unless told otherwise."""

    name: Account = "HwHiAiUser"
    group: Account = "HwHiAiUser"
    uid: Count = 1000
    gid: Count = 1000


class Docker(Spec):
    """The container engine: from the distribution, or present already."""

    source: Literal["distribution", "present"] = "distribution"
    daemon_options: dict[str, Any] = {}
    users: tuple[Account, ...] = ()


class Cards(Spec):
    """The accelerators of a host, by product."""

    type: Name
    product: Label
    count: Count


class SiteHost(Spec):
    """One server."""

    name: Name
    address: Address
    interface: Interface | None = None
    arch: Literal["x86_64", "aarch64"] = "x86_64"
    accelerator: Annotated[Cards, Field(description="type, product and count of the cards")]


class SiteModel(Spec):
    """One model on the disks of the hosts whose services use it."""

    model: Annotated[str, Field(description="a model of the catalog")]
    path: HostPath
    source: Literal["modelscope", "huggingface"] = "modelscope"


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
    arguments: dict[str, Any] = {}
    environment: dict[Variable, str] = {}
    ready_timeout_seconds: Count | None = None


class Obsutil(Spec):
    """Whether the commands include the set-up of the vendor's object storage client."""

    enabled: StrictBool = False


class Site(Spec):
    """A whole site file."""

    site: Name
    release: Annotated[str, Field(description="a release of the catalog")]
    connection: Annotated[Connection, Field(description="user and keys of the SSH connection")]
    mirrors: Mirrors = Mirrors()
    service_account: ServiceAccount = ServiceAccount()
    docker: Docker = Docker()
    accept_eula: StrictBool = False
    allow_downgrade: tuple[Literal["npu_driver", "npu_firmware"], ...] = ()
    checksums: dict[str, Sha256] = {}
    hosts: Annotated[tuple[SiteHost, ...], Field(min_length=1, description="a list of servers")]
    models: tuple[SiteModel, ...] = ()
    services: tuple[SiteService, ...] = ()
    obsutil: Obsutil = Obsutil()


class Lock(Spec):
    """A site.lock: digests of images, written by whoever pushed them."""

    images: dict[str, Digest] = {}

    @model_validator(mode="before")
    @classmethod
    def _may_be_bare(cls, data: Any) -> Any:
        return data if data is not None else {}
