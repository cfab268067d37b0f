"""How a site file says where hosts and files are reached: the connection, the vault, mirrors and package sources."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, Tag

from driver.site_values import (
    Account,
    FilePath,
    Jump,
    Label,
    MountPath,
    Name,
    Port,
    Registry,
    Secret,
    Spec,
    Suite,
    TagSuffix,
    Url,
)


class Connection(Spec):
    """How every tool of ours reaches the hosts; rendered into one ssh_config."""

    user: Account
    port: Port = 22
    identity_file: FilePath | None = None
    known_hosts: FilePath = "~/.ssh/known_hosts"
    jump: Jump | None = None
    python: MountPath = "/usr/bin/python3"
    become_password: Secret | None = None


class Vault(Spec):
    """A file that ansible-vault has encrypted; its password comes from a file, or from Ansible's own variable."""

    file: FilePath = "vault.yml"
    password_file: FilePath | None = None


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
    """One apt repository of *hosts* (None: of all); *exclusive* moves the host's other sources aside."""

    name: Name
    uri: Url
    suite: Suite
    components: tuple[Label, ...] = ("main",)
    key_file: FilePath | None = None
    exclusive: StrictBool = False
    hosts: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None


class RpmSource(Spec):
    """One repository of RPM packages, as AptSource; *baseurl* may hold $releasever and $basearch."""

    name: Name
    baseurl: Url
    key_file: FilePath | None = None
    exclusive: StrictBool = False
    hosts: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None


class Mirrors(Spec):
    """Where this site gets things from; everything that is absent comes from upstream."""

    packages: Url | None = None
    registries: dict[Registry, tuple[Mirror, ...]] = Field(default_factory=dict)
    insecure_registries: tuple[Registry, ...] = ()
    hub: dict[Literal["modelscope", "huggingface", "openmind"], Url] = Field(default_factory=dict)
    apt: tuple[AptSource, ...] = ()
    rpm: tuple[RpmSource, ...] = ()
