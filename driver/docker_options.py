"""The container engine of a site as plain values: its part of daemon.json, its proxies, where its packages are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from driver.catalog_models import Release
from driver.resolved_parts import ResolvedDocker
from driver.site import Docker, Site

# Keys of daemon.json that a key of the site file may say, too.
OWNED: Final = {
    "data-root": "docker.data_root",
    "registry-mirrors": "docker.registry_mirrors",
    "log-driver": "docker.log",
    "log-opts": "docker.log",
    "default-ulimits": "docker.ulimits",
}
_LOCAL: Final = ("localhost", "127.0.0.0/8", "::1")


def resolved(site: Site, release: Release, local: Callable[[str], str]) -> ResolvedDocker:
    """Return the engine of *site*; *local* makes a path of this machine absolute."""
    given = site.docker
    return ResolvedDocker(
        source=given.source,
        version=_version(given, release),
        version_min=release.docker.version_min,
        repository=_repository(given, release, local),
        proxy=_proxy(site),
        default_runtime=given.default_runtime == "ascend",
        runtime_mounts=given.runtime_mounts,
        daemon_options=daemon_options(site),
        users=given.users,
    )


def _version(given: Docker, release: Release) -> str:
    if given.source == "static" and release.docker.static is not None:
        return release.docker.static.version
    return given.version or ""


def _repository(given: Docker, release: Release, local: Callable[[str], str]) -> dict[str, str]:
    """Return where Docker's packages are and how their key is known; empty unless they are wanted."""
    if given.source != "docker":
        return {}
    repository = given.repository
    key = repository.key_file if repository else None
    return {
        "uri": (repository.uri if repository else None) or release.docker.repository or "",
        "key_file": str(Path(local(key)).expanduser()) if key else "",
        "key_sha256": (repository.key_sha256 if repository else None) or "",
    }


def daemon_options(site: Site) -> dict[str, Any]:
    """Return what of daemon.json is ours; registries without TLS join what docker.daemon_options says of them."""
    given, key = site.docker, "insecure-registries"
    named = given.daemon_options.get(key, [])
    insecure = dict.fromkeys([*site.mirrors.insecure_registries, *(named if isinstance(named, list) else [])])
    return given.daemon_options | ({key: list(insecure)} if insecure else {}) | own_keys(given)


def own_keys(given: Docker) -> dict[str, Any]:
    """Return what the keys of the site file say in the words of daemon.json."""
    options: dict[str, Any] = {}
    if given.data_root:
        options["data-root"] = given.data_root
    if given.registry_mirrors:
        options["registry-mirrors"] = list(given.registry_mirrors)
    if given.log:
        options["log-driver"] = "json-file"
        options["log-opts"] = {"max-size": given.log.max_size, "max-file": str(given.log.max_file)}
    limits = {name: value for name, value in given.ulimits.model_dump().items() if value is not None}
    if limits:
        options["default-ulimits"] = {
            name: {"Name": name, "Hard": value, "Soft": value} for name, value in limits.items()
        }
    return options


def _proxy(site: Site) -> dict[str, Any]:
    """Return the proxies; what belongs to the site itself is never asked for through one."""
    given = site.docker.proxy
    if given is None:
        return {}
    direct = dict.fromkeys([*_LOCAL, *_of_the_site(site), *given.no_proxy])
    return {"http": given.http or "", "https": given.https or "", "no_proxy": list(direct)}


def _of_the_site(site: Site) -> Iterator[str]:
    """Yield the names and addresses of all hosts and of all mirrors, without ports: those mean every port."""
    for host in site.hosts:
        yield host.address
        yield host.name
    mirrors = site.mirrors
    urls = [mirrors.packages, *mirrors.hub.values(), *(source.uri for source in mirrors.apt)]
    urls += [source.baseurl for source in mirrors.rpm] + list(site.docker.registry_mirrors)
    urls += [site.docker.repository.uri] if site.docker.repository else []
    yield from (name for url in urls if url and (name := urlsplit(url).hostname))
    copies = [place for found in mirrors.registries.values() for place in found]
    places = [place if isinstance(place, str) else place.prefix for place in copies]
    for place in [*places, *mirrors.insecure_registries]:
        yield place.partition("/")[0].partition(":")[0]
