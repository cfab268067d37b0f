"""What a site file says about models: where each comes from, how it gets to the hosts, and what site.lock remembers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, model_validator

from driver.site_values import Digest, FilePath, HostNames, HostPath, Matching, Port, Secret, Sha256, Spec

SourceName = Literal["modelscope", "huggingface", "openmind", "obs", "git", "http", "path"]
SOURCES: tuple[str, ...] = get_args(SourceName)
HUBS = ("modelscope", "huggingface", "openmind")
NAMED_IN_SITE = ("path", "http")
"""Sources whose place the site may name itself, with `from`; all others stand in the catalog."""
EACH, FIRST, CONTROLLER = "each", "first", "controller"

_WHERE = "each, controller, or the name of a host"
Fetch = Annotated[str, AfterValidator(Matching(r"[a-z][a-z0-9-]{0,62}", _WHERE)), Field(description=_WHERE)]


def _place(value: Any) -> Any:
    """Return *value* as the address or the path that it is."""
    return value.rstrip("/") if isinstance(value, str) and len(value) > 1 else value


class SiteModel(Spec):
    """One model on the disks of the hosts whose services use it, and of *hosts*; one host writes *shared* disks."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    model: Annotated[str, Field(description="a model of the catalog")]
    path: HostPath
    source: SourceName = "modelscope"
    origin: Annotated[FilePath | None, BeforeValidator(_place), Field(alias="from")] = None
    fetch: Fetch = FIRST
    shared: StrictBool = False
    hosts: HostNames = ()


class Moves(Spec):
    """How hosts pass files on to each other."""

    enabled: StrictBool = True
    port: Port = 7790
    rate_limit_mbit: Annotated[StrictInt, Field(ge=0, description="a number of Mbit/s, 0 for no limit")] = 0
    encrypt: StrictBool = False


class Tokens(Spec):
    """The tokens that sources are asked with, by name; what is absent is asked without one."""

    modelscope: Secret | None = None
    huggingface: Secret | None = None
    openmind: Secret | None = None
    git: Secret | None = None


FileName = Annotated[
    str,
    AfterValidator(
        Matching(r"(?!/)(?!(.*/)?\.\.?(/|$))[^\x00-\x1f\\]+", "a path inside of the model, without .. and backslashes")
    ),
]


class LockedFile(Spec):
    """One file of a model; a checksum that nobody knows yet is ""."""

    path: FileName
    size: Annotated[StrictInt, Field(ge=0, description="a number of bytes")]
    sha256: Sha256 | Literal[""] = ""
    git_sha1: Annotated[str, AfterValidator(Matching(r"([0-9a-f]{40})?", "git's id of 40 digits"))] = ""


class LockedModel(Spec):
    """One model as its source had it: *requested* is what the catalog asks for, *revision* what that was."""

    source: SourceName
    repo: str
    requested: str = ""
    revision: str
    files: tuple[LockedFile, ...] = ()


class Lock(Spec):
    """A site.lock: digests of images (and by architecture what they are called when loaded), models file by file."""

    images: dict[str, Digest] = Field(default_factory=dict)
    image_ids: dict[str, dict[str, Digest]] = Field(default_factory=dict)
    models: dict[str, LockedModel] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _may_be_bare(cls, data: Any) -> Any:
        return data if data is not None else {}
