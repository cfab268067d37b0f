"""What a bundle of a site has to hold: packages, images, models, repositories, and what the tool itself is made of."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from driver import paths
from driver.bundle.images import WantedImage
from driver.bundle.repositories import WantedRepository
from driver.errors import SiteError
from driver.site import AptSource, RpmSource

if TYPE_CHECKING:
    from driver.resolved import ResolvedHost, ResolvedModel, ResolvedSite

_RELEASEVER = "$releasever"


@dataclass(frozen=True, slots=True)
class WantedFile:
    """One file; url "" is for what is added by hand, sha256 "" for a delivery that carries its signature."""

    kind: Literal["package", "file"]
    name: str
    url: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything of *site*; *groups* are the repositories that like hosts see, with their architecture."""

    site: ResolvedSite
    files: tuple[WantedFile, ...]
    images: tuple[WantedImage, ...]
    models: tuple[ResolvedModel, ...]
    apt: tuple[WantedRepository, ...]
    rpm: tuple[WantedRepository, ...]
    groups: dict[str, tuple[tuple[tuple[str, ...], str], ...]]
    pins: tuple[str, ...]
    faults: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def wanted(site: ResolvedSite) -> Wanted:
    """Return what a bundle of *site* has to hold; the site is resolved without its bundle."""
    return Wanted(
        site=site,
        files=tuple(_distinct(_files(site))),
        images=tuple(_images(site)),
        models=site.models,
        apt=tuple(_repositories(site, "apt")),
        rpm=tuple(_repositories(site, "rpm")),
        groups={"apt": _groups(site, "apt"), "rpm": _groups(site, "rpm")},
        pins=pins(),
        faults=tuple(_cannot(site)),
        notes=tuple(_notes(site)),
    )


def _cannot(site: ResolvedSite) -> Iterator[tuple[str, str]]:
    """Yield what the site wants and no bundle holds, and what to write in its place."""
    if site.docker.source == "docker":
        yield (
            "docker.source",
            "docker, Docker's own repository, which a bundle does not copy; write static (its archive of programs), or "
            "distribution with that repository among mirrors.apt or mirrors.rpm",
        )


def _notes(site: ResolvedSite) -> Iterator[str]:
    """Yield what is worth knowing before the site is cut off."""
    bare = [host.name for host in site.hosts if not host.apt and not host.rpm]
    if bare:
        yield (
            f"{', '.join(bare)}: the site names no package repository for them (mirrors.apt, mirrors.rpm), so the "
            "bundle holds no packages of their system: compilers, kernel headers and the like have to be there already"
        )


def _files(site: ResolvedSite) -> Iterator[WantedFile]:
    for host in site.hosts:
        packages = (host.driver, host.firmware, host.docker_runtime, host.docker_static, host.obsutil)
        for package in packages:
            if package is not None:
                yield WantedFile("package", package.file, package.url, package.sha256, package.size)
    for file in site.bundle.files if site.bundle else ():
        yield WantedFile("file", file.name, file.url or "", file.sha256, file.size)
    for image in site.images:
        archive = image.archive
        if archive:
            place = next(str(archive[key]) for key in ("url", "obs", "path") if key in archive)
            name = PurePosixPath(urlsplit(place).path).name
            yield WantedFile("file", name, archive.get("url", ""), archive["sha256"], archive["size_bytes"])


def _distinct(files: Iterable[WantedFile]) -> list[WantedFile]:
    """Return *files* by name, each once; archives of images are asked for by their sums, and many have one name."""
    found: dict[str, WantedFile] = {}
    for file in files:
        other = found.get(file.name)
        if other and file.kind == "file" and other.sha256 != file.sha256:
            file = replace(file, name=f"{file.sha256[:12]}-{file.name}")  # noqa: PLW2901 - it is the same file
        found[file.name] = file
    return list(found.values())


def _images(site: ResolvedSite) -> Iterator[WantedImage]:
    architectures: dict[str, set[str]] = defaultdict(set)
    pulled = [image for image in site.images if image.sources]  # others come out of an archive, or are built
    for image in pulled:
        architectures[image.name].add(image.architecture)
    for image in {image.name: image for image in pulled}.values():
        yield WantedImage(
            image.name, image.digest, image.sources, tuple(sorted(architectures[image.name])), image.size_bytes
        )


def _sources(host: ResolvedHost, kind: str) -> tuple[AptSource, ...] | tuple[RpmSource, ...]:
    return host.apt if kind == "apt" else host.rpm


def _groups(site: ResolvedSite, kind: str) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Return what different hosts see: the names of their sources, and their architecture."""
    seen = {(tuple(source.name for source in _sources(host, kind)), host.arch): None for host in site.hosts}
    return tuple(group for group in seen if group[0])


def _repositories(site: ResolvedSite, kind: Literal["apt", "rpm"]) -> Iterator[WantedRepository]:
    found: dict[str, AptSource | RpmSource] = {}
    architectures: dict[str, set[str]] = defaultdict(set)
    for host in site.hosts:
        for source in _sources(host, kind):
            found[source.name] = source
            architectures[source.name].add(host.arch)
    for name, source in found.items():
        yield WantedRepository(
            kind=kind,
            name=name,
            address=source.uri if isinstance(source, AptSource) else _address(site, source),
            suite=source.suite if isinstance(source, AptSource) else "",
            components=source.components if isinstance(source, AptSource) else (),
            key_file=source.key_file or "",
            architectures=tuple(sorted(architectures[name])),
        )


def _address(site: ResolvedSite, source: RpmSource) -> str:
    release = site.bundle.releasever if site.bundle else None
    if _RELEASEVER in source.baseurl and release is None:
        raise SiteError(
            f"{paths.shown(site.folder / paths.SITE_FILE)}: bundle.releasever: found nothing, and mirrors.rpm has "
            f"{source.baseurl}; expected what stands for {_RELEASEVER} on the hosts; add it, or write the address out"
        )
    return source.baseurl.replace(_RELEASEVER, release or "")


@functools.cache
def pins() -> tuple[str, ...]:
    """Return the exact requirements of the tool itself, as name==version."""
    lines: list[str] = []
    for file in sorted(paths.ROOT.glob("requirements*.txt")):
        lines += [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return tuple(dict.fromkeys(line for line in lines if line and not line.startswith(("#", "-"))))
