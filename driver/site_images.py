"""What a site file says about container images: logins at registries, archives, and what is built on the hosts."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StrictInt

from driver.site_values import HostNames, HostPath, Label, Matching, Secret, ServiceName, Sha256, Spec, Url

EACH, FIRST = "each", "first"

_WHERE = "each, first, or the name of a host"
Fetch = Annotated[str, AfterValidator(Matching(r"[a-z][a-z0-9-]{0,62}", _WHERE)), Field(description=_WHERE)]
RegistryHost = Annotated[
    str, AfterValidator(Matching(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?", "a registry as host[:port], without a path"))
]
UserName = Annotated[
    str, AfterValidator(Matching(r"[^\s:\x00-\x1f]+", "the name of a user, without colons and spaces"))
]
Reference = Annotated[
    str,
    AfterValidator(
        Matching(
            r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?(/[a-z0-9][a-z0-9._-]*)+:[A-Za-z0-9_][A-Za-z0-9._-]*",
            "an image as registry/repository:tag",
        )
    ),
]
Object = Annotated[
    str, AfterValidator(Matching(r"obs://[a-z0-9.-]+/[^\s\x00-\x1f]+", "an object as obs://bucket/name"))
]
Word = Annotated[str, AfterValidator(Matching(r"[^\r\n\x00\\`]+", "one line without backslashes and backquotes"))]


class RegistryLogin(Spec):
    """Who we are at one registry; every other one is asked without a login."""

    host: RegistryHost
    user: UserName
    password: Secret


class ImageArchive(Spec):
    """An archive that `docker load` takes: at an address, in the object storage, or at a path of the fetching host."""

    url: Url | None = None
    obs: Object | None = None
    path: HostPath | None = None
    sha256: Sha256
    size: Annotated[StrictInt, Field(ge=0, description="a number of bytes")] = 0


class ImageBuild(Spec):
    """A Dockerfile of templates/images on top of an image that registries have."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    template: Label
    base: Annotated[Reference, Field(alias="from")]
    arguments: dict[Label, Word | tuple[Word, ...]] = Field(default_factory=dict)


class SiteImage(Spec):
    """How one image of the site comes to its hosts, where that is not by pulling it; also to *hosts* without services.

    With *hosts* it may be one that no service uses.
    """

    image: Reference | None = None
    service: ServiceName | None = None
    archive: ImageArchive | None = None
    build: ImageBuild | None = None
    fetch: Fetch = FIRST
    hosts: HostNames = ()
