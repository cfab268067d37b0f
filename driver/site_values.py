"""The words of a site file: texts and numbers with the form that they must have, each with a name for messages."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictInt,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError


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


def _netmask(text: str) -> str:
    try:
        mask = str(ipaddress.IPv4Network(f"0.0.0.0/{_ipv4(text)}").netmask)
    except ValueError as error:
        raise ValueError("a netmask such as 255.255.255.0") from error
    if mask != text:  # 0.0.0.255 is taken for one, too: a wildcard of access lists
        raise ValueError("a netmask such as 255.255.255.0")
    return mask


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
Netmask = Annotated[str, AfterValidator(_netmask), Field(description="a netmask such as 255.255.255.0")]
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
Unit = Annotated[
    str, AfterValidator(Matching(r"[A-Za-z0-9@._:-]+\.service", "the name of a systemd service such as worker.service"))
]
Host = Annotated[
    str, AfterValidator(Matching(r"[A-Za-z0-9*.:/_-]+", "a host, a domain such as .example.org or a network"))
]
TimeServer = Annotated[str, AfterValidator(Matching(r"[A-Za-z0-9.:-]+", "the name or address of a time server"))]
Endpoint = Annotated[
    str, AfterValidator(Matching(r"(https?://)?[A-Za-z0-9.-]+(:\d+)?", "a host, or an http or https address"))
]
Count = Annotated[StrictInt, Field(ge=1, description="a number from 1")]


def _hosts_kind(value: Any) -> str:
    return "word" if isinstance(value, str) else "list"


ALL = "all"
HostNames = Annotated[
    Annotated[Literal["all"], Tag("word")] | Annotated[tuple[Name, ...], Tag("list")],
    Discriminator(_hosts_kind),
]


class Spec(BaseModel):
    """The base of every part of a site file: frozen, and no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Naming:
    """A check of the name of a secret: what does not match *pattern* may be the secret itself, and is not repeated."""

    pattern: str
    what: str

    def __call__(self, value: Any) -> Any:
        """Return *value*; raises an error without it when it is no name."""
        if value is not None and not (isinstance(value, str) and re.fullmatch(self.pattern, value)):
            raise PydanticCustomError("literal_secret", "{what}", {"what": self.what})
        return value


class Secret(Spec):
    """Where a secret is found when it is needed: an environment variable of this machine, or a name in the vault."""

    env: Annotated[
        str | None, BeforeValidator(Naming(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable"))
    ] = None
    vault: Annotated[
        str | None, BeforeValidator(Naming(r"[A-Za-z_][A-Za-z0-9_-]*", "the name of a value of the vault"))
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_reference(cls, data: Any) -> Any:
        """Refuse a secret that stands there itself, without repeating it in the message."""
        if not isinstance(data, dict | Secret) and data is not None:
            raise PydanticCustomError("literal_secret", "{env: NAME} or {vault: NAME}")
        if isinstance(data, dict) and len({"env", "vault"} & data.keys()) != 1 and data.keys() <= {"env", "vault"}:
            raise ValueError("one of the two: {env: NAME} or {vault: NAME}")
        return data

    @property
    def place(self) -> str:
        """Return where the secret is, as messages say it."""
        return f"environment variable {self.env}" if self.env else f"{self.vault} in the vault"
