"""Read a repository of RPM packages: repomd.xml, its metadata as it is, and what each package requires."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import re
import subprocess
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from driver.bundle.closure import Package, version
from driver.bundle.fetch import FetchError
from driver.bundle.repositories import Copy, Web
from driver.bundled import BASEARCH

_REPO: Final = "{http://linux.duke.edu/metadata/repo}"
_COMMON: Final = "{http://linux.duke.edu/metadata/common}"
_RPM: Final = "{http://linux.duke.edu/metadata/rpm}"
_RICH = re.compile(r"[^\s()]+")
_WORDS: Final = frozenset({"and", "or", "if", "unless", "else", "with", "without", "<", "<=", "=", ">=", ">"})


def prefix(copy: Copy, arch: str) -> str:
    """Return the folder of *arch* inside of a copy, "" where one repository has all of them."""
    return f"{arch}/" if BASEARCH in copy.wanted.address else ""


def address(copy: Copy, arch: str) -> str:
    """Return the repository's address for *arch*."""
    return copy.wanted.address.replace(BASEARCH, arch)


def read(copy: Copy, arch: str, web: Web) -> list[Package]:
    """Return the packages of *copy* for *arch*; its metadata become documents of it."""
    base, inside = address(copy, arch), prefix(copy, arch)
    index = copy.documents.get(f"{inside}repodata/repomd.xml") or web.get(f"{base}/repodata/repomd.xml")
    copy.documents[f"{inside}repodata/repomd.xml"] = index
    for name in ("repomd.xml.asc", "repomd.xml.key"):
        found = web.find(f"{base}/repodata/{name}")
        if found is not None:
            copy.documents[f"{inside}repodata/{name}"] = found
    primary = b""
    for kind, path, kind_of_sum, wanted in _metadata(index, base):
        name = f"{inside}{path}"
        data = copy.documents.get(name) or web.get(f"{base}/{path}")
        found_sum = hashlib.new(kind_of_sum, data, usedforsecurity=False).hexdigest()
        if found_sum != wanted:
            raise FetchError(f"{base}/{path}: found {kind_of_sum} {found_sum}, expected {wanted}; it may be in change")
        copy.documents[name] = data
        primary = _unpacked(path, data) if kind == "primary" else primary
    return list(_packages(primary, copy.wanted.name, inside, arch))


def _metadata(index: bytes, base: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield kind, path, kind of sum and sum of every file of metadata."""
    try:
        root = ElementTree.fromstring(index)  # noqa: S314 - expat limits what entities may grow to
    except ElementTree.ParseError as error:
        raise FetchError(f"{base}/repodata/repomd.xml: {error}, expected XML") from error
    for data in root.iter(f"{_REPO}data"):
        kind, place, checksum = data.get("type", ""), data.find(f"{_REPO}location"), data.find(f"{_REPO}checksum")
        if place is not None and checksum is not None and not kind.endswith("_db"):
            kind_of_sum = checksum.get("type", "sha256")
            yield kind, place.get("href", ""), "sha1" if kind_of_sum == "sha" else kind_of_sum, checksum.text or ""


def _unpacked(path: str, data: bytes) -> bytes:
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".bz2"):
        return bz2.decompress(data)
    if not path.endswith(".zst"):
        return data
    try:
        done = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise FetchError(f"{path}: {error}; install zstd on this machine, which unpacks it") from error
    return done.stdout


def _packages(primary: bytes, repository: str, inside: str, arch: str) -> Iterator[Package]:
    """Yield the packages that a host with *arch* can install."""
    for _, node in ElementTree.iterparse(io.BytesIO(primary)):  # noqa: S314 - as above
        if node.tag != f"{_COMMON}package":
            continue
        if node.findtext(f"{_COMMON}arch") in (arch, "noarch"):
            yield _package(node, repository, inside)
        node.clear()


def _package(node: ElementTree.Element, repository: str, inside: str) -> Package:
    numbers, place = node.find(f"{_COMMON}version"), node.find(f"{_COMMON}location")
    size, checksum = node.find(f"{_COMMON}size"), node.find(f"{_COMMON}checksum")
    details = node.find(f"{_COMMON}format")
    name = node.findtext(f"{_COMMON}name") or ""
    given: dict[str, str] = dict(numbers.attrib) if numbers is not None else {}
    provides = (
        [one.get("name", "") for one in details.iterfind(f"{_RPM}provides/{_RPM}entry")] if details is not None else []
    )
    files = [one.text or "" for one in details.iterfind(f"{_COMMON}file")] if details is not None else []
    requires = details.iterfind(f"{_RPM}requires/{_RPM}entry") if details is not None else ()
    return Package(
        repository=repository,
        name=name,
        version=version(given.get("epoch", "0"), given.get("ver", ""), given.get("rel", "")),
        path=inside + (place.get("href", "") if place is not None else ""),
        size=int(size.get("package", "0")) if size is not None else 0,
        sha256=(checksum.text or "") if checksum is not None and checksum.get("type") == "sha256" else "",
        provides=(*provides, *files),
        needs=tuple(_needs([one.get("name", "") for one in requires])),
        label="{}-{}-{}.{}".format(name, given.get("ver", ""), given.get("rel", ""), node.findtext(f"{_COMMON}arch")),
    )


def _needs(names: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield what is required; of a condition in brackets every name, because hosts differ in which one holds."""
    for name in names:
        if name.startswith("("):
            yield from ((word,) for word in _RICH.findall(name) if word not in _WORDS)
        elif not name.startswith("rpmlib("):
            yield (name,)
