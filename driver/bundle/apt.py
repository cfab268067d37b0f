"""Read an apt repository: Release, the package lists of an architecture, and what each package depends on."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import re
from collections.abc import Callable, Iterator
from typing import Final

from driver.bundle.closure import Package, version
from driver.bundle.fetch import FetchError
from driver.bundle.repositories import Copy, Web

MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_UNPACK: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    "": bytes,
}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")

Sums = dict[str, tuple[str, int]]


def read(copy: Copy, arch: str, web: Web) -> list[Package]:
    """Return the packages of *copy* for *arch*; its indexes become documents of it."""
    wanted = copy.wanted
    flat = not wanted.components or wanted.suite.endswith("/")
    folder = wanted.suite.strip("/") if flat else f"dists/{wanted.suite}"
    sums = _release(copy, folder, web)
    machine = MACHINES.get(arch, arch)
    lists = [""] if flat else [f"{part}/binary-{machine}/" for part in wanted.components]
    packages: list[Package] = []
    for name in lists:
        text = _index(copy, folder, f"{name}Packages", sums, web)
        packages += [found for stanza in _stanzas(text) if (found := _package(stanza, wanted.name))]
    if not flat:
        for part in wanted.components:
            _translations(copy, folder, part, sums, web)
    return packages


def _release(copy: Copy, folder: str, web: Web) -> Sums:
    """Return size and sum of every index; the files that are signed become documents."""
    text = b""
    for name in ("InRelease", "Release", "Release.gpg"):
        path = f"{folder}/{name}" if folder else name
        found = copy.documents.get(path) or web.find(f"{copy.wanted.address}/{path}")
        if found is not None:
            copy.documents[path] = found
            text = text or found
    if not text:
        raise FetchError(f"{copy.wanted.address}/{folder}: neither InRelease nor Release, expected an apt repository")
    fields = next(_stanzas(_unsigned(text.decode("utf-8", "replace"))), {})
    copy.valid_until = fields.get("valid-until", "")
    lines = [line.split() for line in fields.get("sha256", "").splitlines()]
    return {line[2]: (line[0], int(line[1])) for line in lines if len(line) == 3 and line[1].isdigit()}


def _unsigned(text: str) -> str:
    """Return the message inside of a clear signature."""
    found = re.search(r"-----BEGIN PGP SIGNED MESSAGE-----.*?\n\r?\n(.*?)-----BEGIN PGP SIGNATURE", text, re.DOTALL)
    return found[1] if found else text


def _index(copy: Copy, folder: str, name: str, sums: Sums, web: Web) -> str:
    """Return the text of an index; every form of it that a host's apt may ask for becomes a document."""
    text: str | None = None
    for suffix, unpack in _UNPACK.items():
        if name + suffix not in sums:
            continue
        data = _checked(copy, folder, name + suffix, sums, web)
        if data is not None and text is None:
            text = unpack(data).decode("utf-8", "replace")
    if text is None:
        raise FetchError(f"{copy.wanted.address}/{folder}/{name}: nothing of this name, expected a list of packages")
    return text


def _checked(copy: Copy, folder: str, name: str, sums: Sums, web: Web) -> bytes | None:
    path = f"{folder}/{name}" if folder else name
    if path not in copy.documents:
        url = f"{copy.wanted.address}/{path}"
        data = web.find(url)
        if data is None:
            return None
        found = hashlib.sha256(data).hexdigest()
        if found != sums[name][0]:
            raise FetchError(f"{url}: found sha256 {found}, expected {sums[name][0]}; the mirror may be in change")
        copy.documents[path] = data
    return copy.documents[path]


def _translations(copy: Copy, folder: str, component: str, sums: Sums, web: Web) -> None:
    """Add the descriptions that apt asks for in every language setting; a host without them stops at their absence."""
    for suffix in _UNPACK:
        name = f"{component}/i18n/Translation-en{suffix}"
        if name in sums:
            _checked(copy, folder, name, sums, web)


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    """Yield the stanzas of a control file, field names in small letters."""
    for block in re.split(r"\n\s*\n", text.strip()):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line[:1].isspace() and name:
                fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields:
            yield fields


def _package(fields: dict[str, str], repository: str) -> Package | None:
    if not {"package", "filename", "size", "sha256"} <= fields.keys():
        return None
    epoch, colon, rest = fields.get("version", "").rpartition(":")
    upstream, _, release = rest.rpartition("-") if "-" in rest else (rest, "", "")
    needs = [group for key in ("pre-depends", "depends") for group in _groups(fields.get(key, ""))]
    return Package(
        repository=repository,
        name=fields["package"],
        version=version(epoch if colon else "0", upstream, release),
        path=fields["filename"].removeprefix("./"),
        size=int(fields["size"]),
        sha256=fields["sha256"],
        provides=tuple(name for group in _groups(fields.get("provides", "")) for name in group),
        needs=tuple(needs),
    )


def _groups(text: str) -> list[tuple[str, ...]]:
    """Return the names in a dependency field, without versions and architectures."""
    return [
        tuple(found[0] for word in group.split("|") if (found := _WORD.match(word.strip())))
        for group in text.split(",")
        if group.strip()
    ]
