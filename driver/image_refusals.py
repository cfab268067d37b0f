"""What a site may not say about images: unknown services, templates and hosts, an archive that nobody could reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from driver import dockerfile
from driver.errors import SiteError
from driver.faults import Location, listed
from driver.findings import Findings
from driver.site import Site
from driver.site_images import EACH, FIRST, SiteImage
from driver.site_values import ALL


@dataclass(frozen=True, slots=True)
class ImageCheck:
    """One pass over the images of *site*, whose services use those in *used* by their names."""

    site: Site
    used: Mapping[str, str]
    found: Findings

    def run(self) -> None:
        """Find every fault of the images and the registries."""
        self.found.unique("registries", "host", [login.host for login in self.site.registries])
        taken: dict[str, int] = {}
        for index, image in enumerate(self.site.images):
            where: Location = ("images", index)
            if not self._is_clear(where, image):
                continue
            name = self._name(where, image)
            if name and taken.setdefault(name, index) != index:
                found = f"{name}, which images.{taken[name]} is about already"
                self.found.refuse(where, found, "one entry for each image", "remove one of them")
            self._fetch(where, image)
            if image.archive and image.archive.obs and not self.site.obsutil.enabled:
                expected, advice = "the client of the object storage on the hosts", "write obsutil: {enabled: true, …}"
                self.found.refuse((*where, "archive", "obs"), "a site without obsutil", expected, advice)
            if image.build:
                self._build((*where, "build"), image)

    def _is_clear(self, where: Location, image: SiteImage) -> bool:
        """Return whether *image* says which one it is and how it comes; note a fault when not."""
        choices: list[tuple[Location, object, tuple[str, ...]]] = [
            (where, image, ("image", "service")),
            (where, image, ("archive", "build")),
        ]
        if image.archive:
            choices.append(((*where, "archive"), image.archive, ("url", "obs", "path")))
        faults = 0
        for place, part, keys in choices:
            given = [key for key in keys if getattr(part, key) is not None]
            if len(given) != 1:
                expected = f"one of {', '.join(keys)}"
                self.found.refuse(place, " and ".join(given) or "none of them", expected, "write one of them")
                faults += 1
        return not faults

    def _name(self, where: Location, image: SiteImage) -> str:
        """Return the image that is meant, "" when there is none."""
        if image.build is not None and image.hosts:
            expected = "an archive, because an image is built where a service uses it"
            self.found.refuse((*where, "hosts"), "hosts with build", expected, "remove one of the two")
        if image.service is not None:
            if image.service not in self.used:
                expected = f"a service of the site: {listed(sorted(self.used))}"
                self.found.refuse((*where, "service"), image.service, expected, "correct the name")
            return self.used.get(image.service, "")
        if image.image not in self.used.values() and not image.hosts:
            expected = f"an image that a service uses: {listed(sorted(set(self.used.values())))}"
            self.found.refuse((*where, "image"), str(image.image), expected, "correct the name, or add hosts")
        return str(image.image)

    def _fetch(self, where: Location, image: SiteImage) -> None:
        names = [host.name for host in self.site.hosts]
        for position, name in enumerate(image.hosts if image.hosts != ALL else ()):
            if name not in names:
                expected = f"all, or a list of {listed(names)}"
                self.found.refuse((*where, "hosts", position), f"unknown host {name}", expected, "correct the name")
        if image.fetch not in (EACH, FIRST, *names):
            expected = f"each, first, or one of {listed(names)}"
            self.found.refuse((*where, "fetch"), image.fetch, expected, "correct the name")
        elif image.archive and image.fetch not in (EACH, FIRST) and not self.site.moves.enabled:
            found = f"{image.fetch} alone, and moves.enabled false"
            self.found.refuse((*where, "fetch"), found, "each", "write fetch: each, or enable the moves")

    def _build(self, where: Location, image: SiteImage) -> None:
        if image.build is None:
            return
        known = dockerfile.templates()
        if image.build.template not in known:
            expected = f"a file of templates/images: {listed(known)}"
            self.found.refuse((*where, "template"), image.build.template, expected, "correct the name")
            return
        try:
            dockerfile.rendered(image.build.template, image.build.base, image.build.arguments)
        except SiteError as error:
            expected = f"the arguments that {image.build.template} reads"
            self.found.refuse((*where, "arguments"), str(error), expected, "correct the arguments")
