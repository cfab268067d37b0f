"""Resolve the images of a site: where each comes from, what it must be, which host brings an archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from driver import dockerfile
from driver.containers import digest
from driver.resolved import Member, ResolvedImage
from driver.services import Placement
from driver.site import RegistryMirror, Site, SiteHost, SiteService
from driver.site_images import EACH, ImageBuild, SiteImage
from driver.site_models import Lock
from driver.site_values import ALL

_OCI_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's names and the image specification's


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a checked *site*; *lock* has what is known of them."""

    site: Site
    lock: Lock

    def on_host(self, place: Placement, host: SiteHost) -> list[ResolvedImage]:
        """Return the engine's image for *host*, and in front of one that is built there what it is built from."""
        given = self._given(place)
        if given is None or given.build is None:
            size = place.engine.versions[place.service.version].size_bytes
            found = self._plain(place, host, place.image).model_copy(update={"size_bytes": size})
            return [self._archived(found, given, self._users(place)) if given and given.archive else found]
        made = self._built(given.build)
        built = self._plain(place, host, place.image).model_copy(
            update={"build": made, "digest": "", "id": "", "sources": (), "chip": {}}
        )
        return [self._plain(place, host, given.build.base), built]

    def carried(self, host: SiteHost, places: list[Placement]) -> list[ResolvedImage]:
        """Return the archives that the site names *host* for, though no service there uses them; *places* are all."""
        found = []
        for given in self.site.images:
            if given.archive and (given.hosts == ALL or host.name in given.hosts):
                user = next((place for place in places if self._given(place) == given), None)
                plain = self._plain(user, host, user.image if user else str(given.image))
                found.append(self._archived(plain, given, self._users(user) if user else []))
        return found

    def mark(self, place: Placement) -> str:
        """Return what changes when the image of *place* becomes another one, "" where nothing is known of it."""
        given = self._given(place)
        if given and given.build:
            return str(self._built(given.build)["key"])
        return self.lock.images.get(place.image, "") or (given.archive.sha256 if given and given.archive else "")

    def unpinned(self, places: list[Placement]) -> list[str]:
        """Return the images that may be other ones tomorrow under the same name."""
        names = []
        for place in places:
            given = self._given(place)
            name = given.build.base if given and given.build else place.image
            if name not in self.lock.images and not (given and given.archive):
                names.append(name)
        return list(dict.fromkeys(names))

    def _given(self, place: Placement) -> SiteImage | None:
        """Return what the site says about the image of *place*; an entry may name any service that uses it."""
        names = {service.name for service in self._users(place)}
        return next((one for one in self.site.images if one.image == place.image or one.service in names), None)

    def _users(self, place: Placement) -> list[SiteService]:
        """Return all services that use the image of *place*."""
        mine = place.service
        kinds = {host.name: host.accelerator.type for host in self.site.hosts}
        return [
            service
            for service in self.site.services
            if (service.engine, service.version, service.variant) == (mine.engine, mine.version, mine.variant)
            and kinds[service.hosts[0]] == place.accelerator.name
        ]

    def _plain(self, place: Placement | None, host: SiteHost, name: str) -> ResolvedImage:
        """Return the image *name* from the site's mirrors in their order, then from upstream.

        A bundle's server is the only place: a host without internet would wait for the upstream registry in vain.
        """
        registry, _, rest = name.partition("/")
        mirrors = [
            f"{mirror.prefix}/{rest}{mirror.tag_suffix}" if isinstance(mirror, RegistryMirror) else f"{mirror}/{rest}"
            for mirror in self.site.mirrors.registries.get(registry, ())
        ]
        architecture = _OCI_ARCHITECTURE[host.arch]
        upstream = () if self.site.bundle and self.site.bundle.url else (name,)
        return ResolvedImage(
            name=name,
            digest=self.lock.images.get(name, ""),
            id=self.lock.image_ids.get(name, {}).get(architecture, ""),
            sources=(*mirrors, *upstream),
            architecture=architecture,
            size_bytes=0,
            chip=self._chip(place) if place else {},
        )

    @staticmethod
    def _chip(place: Placement) -> dict[str, Any]:
        mine = place.accelerator
        others = sorted({*place.engine.chip_suffixes} - {mine.image_suffix})
        return {"soc_pattern": mine.soc_pattern, "others": others}

    def _archived(self, image: ResolvedImage, given: SiteImage, users: list[SiteService]) -> ResolvedImage:
        """Return *image* as one that comes out of an archive, with the hosts that pass it on to each other."""
        archive = given.archive.model_dump(exclude_none=True) if given.archive else {}
        archive |= {"name": image.name, "size_bytes": archive.pop("size", 0)}
        fetch = given.fetch if self.site.moves.enabled else EACH
        names = {*given.hosts, *(name for service in users for name in service.hosts)}
        chosen = [host for host in self.site.hosts if given.hosts == ALL or host.name in names]
        members = tuple(Member(host=host.name, address=host.address) for host in chosen)
        return image.model_copy(update={"archive": archive, "fetch": fetch, "members": members, "sources": ()})

    def _built(self, build: ImageBuild) -> dict[str, Any]:
        text = dockerfile.rendered(build.template, build.base, build.arguments)
        key = digest([text, self.lock.images.get(build.base, "")])
        return {"dockerfile": text, "base": build.base, "label": dockerfile.LABEL, "key": key}
