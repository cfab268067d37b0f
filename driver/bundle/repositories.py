"""Copy from package repositories what hosts need: their own signed indexes as they are, and some of their packages."""

from __future__ import annotations

import lzma
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol
from xml.etree import ElementTree

import requests
from pydantic import TypeAdapter

from driver import catalog, paths
from driver.bundle.closure import Package, Selection
from driver.bundle.contents import RelativePath
from driver.bundle.fetch import CONNECT_SECONDS, SILENCE_SECONDS, FetchError, short
from driver.site_values import Spec

Kind = Literal["apt", "rpm"]
KINDS: Final[tuple[Kind, ...]] = ("apt", "rpm")
KEY: Final = "key.asc"
_NOT_FOUND: Final = 404
_PATH: Final = TypeAdapter(RelativePath)
# what parsers and unpackers raise: a repository with nonsense must not end the work on the others
_UNREADABLE: Final = (ValueError, KeyError, EOFError, OSError, ElementTree.ParseError, lzma.LZMAError, zlib.error)


@dataclass(frozen=True, slots=True)
class WantedRepository:
    """One repository of the site; *architectures* are the kernel's names."""

    kind: Kind
    name: str
    address: str
    suite: str
    components: tuple[str, ...]
    key_file: str
    architectures: tuple[str, ...]


@dataclass(slots=True)
class Copy:
    """What is copied of one repository: *documents* are read already, *packages* have still to be fetched."""

    wanted: WantedRepository
    valid_until: str = ""
    documents: dict[str, bytes] = field(default_factory=dict)
    packages: dict[str, Package] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Return the bytes of all of it."""
        return sum(map(len, self.documents.values())) + sum(package.size for package in self.packages.values())


class Reader(Protocol):
    """Reads the indexes of a repository into a copy and returns the packages that one architecture sees there."""

    def __call__(self, copy: Copy, arch: str, web: Web) -> list[Package]:
        """Return the packages; raises FetchError."""


class Names(Spec):
    """The packages that the roles install, by package manager; {kernel} stands for a kernel."""

    apt: tuple[str, ...]
    rpm: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Web:
    """Reads small files of a repository."""

    client: requests.Session

    def get(self, url: str) -> bytes:
        """Return the content of *url*; raises FetchError."""
        found = self.find(url)
        if found is None:
            raise FetchError(f"{url}: status {_NOT_FOUND}")
        return found

    def find(self, url: str) -> bytes | None:
        """Return the content of *url*, None when the server has no such file; raises FetchError."""
        try:
            answer = self.client.get(url, timeout=(CONNECT_SECONDS, SILENCE_SECONDS))
        except requests.RequestException as error:
            raise FetchError(f"{url}: {short(error)}") from error
        if answer.status_code == _NOT_FOUND:
            return None
        if not answer.ok:
            raise FetchError(f"{url}: status {answer.status_code}")
        return answer.content


def names(kind: Kind, kernels: Iterable[str], further: Iterable[str]) -> list[str]:
    """Return the names and patterns of the packages that hosts may be given."""
    data = catalog.parse(paths.CATALOG / "bundle.yml", Names)
    listed: tuple[str, ...] = getattr(data, kind)
    chosen = tuple(kernels) or ("*",)
    filled = [name.format(kernel=kernel) for name in listed for kernel in (chosen if "{kernel}" in name else ("",))]
    return list(dict.fromkeys([*filled, *further]))


def found_nowhere(
    absent: Iterable[tuple[Kind, Iterable[str]]], kernels: Iterable[str], further: Iterable[str]
) -> list[str]:
    """Return those of *kernels* and *further* packages that no repository has; *absent* is what each of them lacks.

    Hosts of one site may have different kernels, so one repository that has a kernel's headers is enough.
    """
    lacking = [(kind, {*patterns}) for kind, patterns in absent]
    wanted: dict[str, dict[Kind, set[str]]] = {}
    for kernel in kernels:
        wanted[kernel] = {kind: {*names(kind, (kernel,), ())} - {*names(kind, (), ())} for kind in KINDS}
    wanted |= {name: {kind: {name} for kind in KINDS} for name in further}
    return [name for name, patterns in wanted.items() if not any(patterns[kind] - lacks for kind, lacks in lacking)]


Groups = Iterable[tuple[tuple[str, ...], str]]
"""Which repositories, by name, a host with an architecture has."""


def survey(
    wanted: Mapping[str, WantedRepository], groups: Groups, patterns: Iterable[str], read: Reader, web: Web
) -> tuple[list[Copy], list[str]]:
    """Return what has to be copied of each repository that can be read, and why others cannot.

    Hosts see their own repositories alone, so packages are chosen for each group of like hosts on its own.
    """
    copies = {name: Copy(one) for name, one in wanted.items()}
    faults: dict[str, str] = {}
    absent: dict[str, set[str]] = defaultdict(set)
    for members, arch in groups:
        seen: list[Package] = []
        for name in members:
            try:
                found = read(copies[name], arch, web)
                for path in (*copies[name].documents, *(package.path for package in found)):
                    _PATH.validate_python(path)
                seen += found
            except FetchError as error:
                faults[name] = f"{name}: {error}"
            except _UNREADABLE as error:
                faults[name] = f"{name}: found indexes that can not be read ({type(error).__name__}: {error})"
        chosen, missing = Selection(seen).closure(patterns)
        for package in chosen:
            copies[package.repository].packages[package.path] = package
        for name in members:
            absent[name] |= {*missing}
    for name, copy in copies.items():
        copy.absent = tuple(sorted(absent[name]))
        if copy.wanted.key_file and name not in faults:
            faults |= _with_key(copy)
    return [copy for name, copy in copies.items() if name not in faults], list(faults.values())


def _with_key(copy: Copy) -> dict[str, str]:
    """Add the key to the documents of *copy*; return why that is not possible."""
    file = Path(copy.wanted.key_file)
    try:
        copy.documents[KEY] = file.read_bytes()
    except OSError as error:
        return {copy.wanted.name: f"{copy.wanted.name}: {file}: {error.strerror} (key_file in site.yml)"}
    return {}


def described(copy: Copy) -> dict[str, Any]:
    """Return what the manifest says of *copy* beside its files."""
    one = copy.wanted
    return {
        "kind": one.kind,
        "name": one.name,
        "suite": one.suite,
        "architectures": tuple(sorted(one.architectures)),
        "source": one.address,
        "valid_until": copy.valid_until,
        "absent": copy.absent,
    }
