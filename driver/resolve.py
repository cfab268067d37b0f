"""Resolve a site against the catalog, once and before anything touches the network."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from driver import catalog as catalogs
from driver import docker_options, npu_network, paths, sitefile, vaults
from driver import engine as engines
from driver.bundled import applied as from_bundle
from driver.bundled import sources as from_sources
from driver.catalog import Catalog
from driver.errors import SiteError
from driver.faults import Fault
from driver.findings import Findings
from driver.packages import Shelf
from driver.refusals import Check
from driver.resolve_images import Images
from driver.resolve_models import Models, users
from driver.resolved import ROLES, HostModel, ResolvedHost, ResolvedImage, ResolvedSite
from driver.resolved_parts import ResolvedConnection, ResolvedVault
from driver.services import Placement
from driver.site import AptSource, Lock, RpmSource, Site, SiteHost, SiteService
from driver.site_host import Npu

_EVERYWHERE = ("host_baseline", "docker_engine", "npu_driver", "npu_firmware", "ascend_docker_runtime")

Source = TypeVar("Source", AptSource, RpmSource)


def load(name_or_path: str | Path, *, catalog: Path = paths.CATALOG, bundled: bool = True) -> ResolvedSite:
    """Return the resolved site of *name_or_path*, a folder of inventories/ or a path.

    With *bundled* everything comes from the bundle's server where the site names one, else from where a bundle gets it.

    Raises SiteError with all faults, one line each: file, path inside it, found, expected, what to do.
    """
    folder = paths.site_dir(name_or_path)
    known = catalogs.load(catalog)
    file = folder / paths.SITE_FILE
    reading = sitefile.read_site(file)
    lock, faults_of_lock = sitefile.read_lock(folder)
    examined = [_examined(site, known, file, bundled) for site in reading.sites]
    lines = [*map(str, _faults(reading, [found for _, found in examined])), *faults_of_lock]
    shelf = examined[0][0] if examined else None
    if lines or shelf is None:
        raise SiteError(lines)
    return Resolver(shelf.site, known, folder, lock, shelf).site_as_a_whole()


def _examined(site: Site, catalog: Catalog, file: Path, bundled: bool) -> tuple[Shelf | None, Findings]:
    """Return the packages of *site*, None when its release is unknown, and what is wrong with its meaning."""
    found = Findings(paths.shown(file))
    Check(site, catalog, found, file.parent).run()
    if site.release not in catalog.releases:
        return None, found
    shelf = Shelf(from_bundle(site, catalog) if bundled else from_sources(site), catalog.releases[site.release], found)
    _visit(shelf, catalog)
    return shelf, found


def _faults(reading: sitefile.Reading, findings: list[Findings]) -> list[Fault]:
    """Return all faults: those of form, and those of meaning that no repair of a broken value has caused."""
    first = findings[0].faults if findings else []
    meaning = [fault for fault in first if all(fault in other.faults for other in findings)]
    return [*reading.faults, *(fault for fault in meaning if not sitefile.within(fault.where, reading.faults))]


def _visit(shelf: Shelf, catalog: Catalog) -> None:
    """Ask *shelf* for everything that the site will need, so that its faults are known."""
    shelf.check_names()
    for host in shelf.site.hosts:
        profile = catalog.accelerators.get(host.accelerator.type)
        family = shelf.release.families.get(profile.package_family) if profile else None
        if family is not None:
            shelf.pick("driver", family.driver, host.arch)
            shelf.pick("firmware", family.firmware, host.arch)
        shelf.pick("docker-runtime", shelf.release.docker_runtime, host.arch)
        if shelf.site.obsutil.enabled:
            shelf.pick_obsutil(host.arch)
        if shelf.site.docker.source == "static":
            shelf.pick_static(host.arch)


class Resolver:
    """Turns a checked site into plain values; faults cannot happen any more."""

    def __init__(self, site: Site, catalog: Catalog, folder: Path, lock: Lock, shelf: Shelf) -> None:
        """Keep what everything is made from."""
        self.site, self.catalog, self.folder, self.shelf = site, catalog, folder, shelf
        self.images = Images(site, lock)
        self.models = Models(site, catalog, lock, self.file)
        self.hosts = {host.name: host for host in site.hosts}

    def site_as_a_whole(self) -> ResolvedSite:
        """Return the resolved site."""
        site, release = self.site, self.shelf.release
        hosts = tuple(self.host(host) for host in site.hosts)
        images = {(image.name, image.architecture): image for host in hosts for image in host.images}
        return ResolvedSite(
            name=site.site,
            folder=self.folder,
            rendered=self.folder / "rendered",
            release=site.release,
            install_path=release.install_path,
            accept_eula=site.accept_eula,
            allow_downgrade=site.allow_downgrade,
            connection=self.connection(),
            account=site.service_account,
            host_needs=release.host,
            system=site.system,
            npu=self.npu(),
            npu_tls=site.npu_tls or "",
            docker=docker_options.resolved(site, release, self.local),
            obsutil_endpoint=site.obsutil.endpoint or "",
            bundle=site.bundle,
            secrets=vaults.references(site),
            vault=self.vault(),
            hosts=hosts,
            services=tuple(self.placement(service).resolved() for service in site.services),
            models=tuple(self.models.resolved(model) for model in site.models),
            moves=self.models.moves(),
            tokens=self.models.tokens(),
            registries=tuple(
                {"host": login.host, "user": login.user, "secret": vaults.registry(number)}
                for number, login in enumerate(site.registries)
            ),
            images=tuple(images.values()),
            warnings=(*self.shelf.found.warnings, *self.unpinned()),
        )

    def unpinned(self) -> list[str]:
        """Return a line for every image and every model that may be another one tomorrow under the same name."""
        lock = paths.shown(self.folder / paths.LOCK_FILE)
        lines = [
            f"{lock}: images: no digest of {name}, so what hosts pull under this tag at different times may differ; "
            f'`provision lock` writes the one that it has now, or write `images: {{"{name}": "sha256:…"}}` yourself'
            for name in self.images.unpinned([self.placement(service) for service in self.site.services])
        ]
        return [*lines, *self.models.unpinned(self.shelf.found.file)]

    def connection(self) -> ResolvedConnection:
        """Return the connection with absolute paths."""
        given = self.site.connection
        return ResolvedConnection(
            user=given.user,
            port=given.port,
            identity_file=self.local(given.identity_file or ""),
            known_hosts=self.local(given.known_hosts),
            jump=given.jump or "",
            python=given.python,
            asks_password=given.become_password is not None,
        )

    def local(self, path: str) -> str:
        """Return a path of this machine: relative ones start at the site's folder, ~ stays for OpenSSH to expand."""
        return path if not path or path.startswith("~") else os.path.normpath(self.folder / path)

    def file(self, path: str) -> str:
        """Return the absolute path of a file of this machine, for programs that do not expand ~ themselves."""
        return str(Path(self.local(path)).expanduser()) if path else ""

    def sources(self, given: Iterable[Source], host: SiteHost) -> tuple[Source, ...]:
        """Return the package sources of *host* with the absolute paths of their keys, "" without one."""
        return tuple(
            source.model_copy(update={"key_file": self.file(source.key_file or "")})
            for source in given
            if source.hosts is None or host.name in source.hosts
        )

    def npu(self) -> Npu:
        """Return how drivers are changed, with absolute paths of certificates and revocation lists."""
        given = self.site.npu
        if given.signature is None:
            return given
        files = {key: tuple(map(self.file, paths)) for key, paths in given.signature.model_dump().items()}
        return given.model_copy(update={"signature": given.signature.model_copy(update=files)})

    def vault(self) -> ResolvedVault | None:
        """Return the vault with absolute paths."""
        given = self.site.vault
        if given is None:
            return None
        return ResolvedVault(file=self.file(given.file), password_file=self.file(given.password_file or ""))

    def host(self, host: SiteHost) -> ResolvedHost:
        """Return one host with everything that is to be on it."""
        profile = self.catalog.accelerators[host.accelerator.type]
        family = self.shelf.release.families[profile.package_family]
        used = [self.placement(service) for service in self.site.services if host.name in service.hosts]
        members = tuple(place.ray_member(host) for place in used if place.over_ray)
        answering = tuple(place.host_service() for place in used if place.head.name == host.name)
        obsutil = self.shelf.release.obsutil if self.site.obsutil.enabled else None
        static = self.shelf.release.docker.static if self.site.docker.source == "static" else None
        images, models = self._images(host, used), self._models(host, used)
        present = {
            "container_image": images,
            "model_store": models,
            "ray_cluster": members,
            "inference_service": answering,
            "npu_network": host.npu_network is not None,
            "obsutil": obsutil is not None,
        }
        return ResolvedHost(
            name=host.name,
            address=host.address,
            interface=host.interface or "",
            arch=host.arch,
            system=host.system or "",
            apt=self.sources(self.site.mirrors.apt, host),
            rpm=self.sources(self.site.mirrors.rpm, host),
            accelerator=profile,
            product=host.accelerator.product,
            hbm_mib=profile.products[host.accelerator.product].hbm_mib,
            count=host.accelerator.count,
            roles=tuple(role for role in ROLES if role in _EVERYWHERE or present.get(role)),
            driver=self.shelf.need(family.driver, host.arch),
            firmware=self.shelf.need(family.firmware, host.arch),
            docker_runtime=self.shelf.need(self.shelf.release.docker_runtime, host.arch),
            docker_static=self.shelf.need(static, host.arch) if static else None,
            obsutil=self.shelf.need(obsutil, host.arch) if obsutil else None,
            npu_network=npu_network.devices(host),
            boot_timeout_seconds=self.site.npu.reboot.timeout_seconds or family.boot_timeout_seconds,
            device_nodes=engines.device_nodes(profile, range(host.accelerator.count)),
            images=images,
            models=models,
            ray_members=members,
            services=answering,
        )

    @cached_property
    def places(self) -> list[Placement]:
        """Return all services of the site with what their names stand for."""
        return [self.placement(service) for service in self.site.services]

    def _images(self, host: SiteHost, used: list[Placement]) -> tuple[ResolvedImage, ...]:
        """Return the images of *host*: those of its services, and those that the site names it for."""
        found = {one.name: one for place in used for one in self.images.on_host(place, host)}
        for one in self.images.carried(host, self.places):
            found.setdefault(one.name, one)
        return tuple(found.values())

    def _models(self, host: SiteHost, used: list[Placement]) -> tuple[HostModel, ...]:
        """Return the models of *host*; a model that no service there uses comes with the image of another one."""
        images = {place.placed.model: place.image for place in reversed(used)}
        other = used[0].image if used else ""
        chosen = [placed for placed in self.site.models if host.name in users(self.site, placed)]
        return tuple(self.models.on_host(placed, images.get(placed.model, other)) for placed in chosen)

    def placement(self, service: SiteService) -> Placement:
        """Return *service* with what its names stand for."""
        hosts = tuple(self.hosts[name] for name in service.hosts)
        place = Placement(
            service=service,
            engine=self.catalog.engines[service.engine],
            accelerator=self.catalog.accelerators[hosts[0].accelerator.type],
            model=self.catalog.models[service.model],
            placed=next(model for model in self.site.models if model.model == service.model),
            hosts=hosts,
            image_digest="",
        )
        return replace(place, image_digest=self.images.mark(place))
