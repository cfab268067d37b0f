"""A site whose things come from the server of its bundle: every mirror, address and source stands for that one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from driver.site_bundle import Bundle
from driver.site_connection import Mirrors

if TYPE_CHECKING:
    from driver.catalog import Catalog
    from driver.resolved import ResolvedModel
    from driver.site import Site
    from driver.site_images import SiteImage

PACKAGES: Final = "packages"
BASEARCH: Final = "$basearch"
HUBS: Final = ("modelscope", "huggingface")  # whose clients the server answers; other models are plain files there


def folder_of(registry: str) -> str:
    """Return what stands for *registry* in the names of a bundle's images: a port has no place there."""
    return registry.replace(":", "-")


def sources(site: Site) -> Site:
    """Return *site* as a bundle of it is built: nothing comes from a bundle."""
    if site.bundle is None:
        return site
    return site.model_copy(update={"bundle": site.bundle.model_copy(update={"url": None})})


def applied(site: Site, catalog: Catalog) -> Site:
    """Return *site* with everything at the server of its bundle; *site* itself where it names none."""
    bundle = site.bundle
    if bundle is None or bundle.url is None:
        return site
    named = [engine.repository for engine in catalog.engines.values()]
    named += [image.image for image in site.images if image.image]
    named += [image.build.base for image in site.images if image.build]
    registries = [name.partition("/")[0] for name in named]
    images = tuple(_image(image, bundle.url) for image in site.images)
    return site.model_copy(update={"mirrors": mirrored(site.mirrors, bundle.url, registries), "images": images})


def mirrored(mirrors: Mirrors, url: str, registries: Iterable[str]) -> Mirrors:
    """Return *mirrors* with everything at the server *url*; its package repositories are the only ones of the hosts."""
    place = urlsplit(url).netloc
    plain = (place,) if url.startswith("http://") else ()
    return Mirrors.model_validate(
        {
            PACKAGES: f"{url}/{PACKAGES}",
            "registries": {name: (f"{place}/{folder_of(name)}",) for name in (*mirrors.registries, *registries)},
            "insecure_registries": tuple(dict.fromkeys((*mirrors.insecure_registries, *plain))),
            "hub": dict.fromkeys(HUBS, url),
            "apt": tuple(
                source.model_copy(update={"uri": f"{url}/apt/{source.name}", "exclusive": True})
                for source in mirrors.apt
            ),
            "rpm": tuple(
                source.model_copy(update={"baseurl": rpm_address(url, source.name, source.baseurl), "exclusive": True})
                for source in mirrors.rpm
            ),
        }
    )


def rpm_address(url: str, name: str, baseurl: str) -> str:
    """Return where the server at *url* has the repository *name*: one folder for each architecture, if it had."""
    return f"{url}/rpm/{name}{'/' + BASEARCH if BASEARCH in baseurl else ''}"


def model(resolved: ResolvedModel, bundle: Bundle | None) -> ResolvedModel:
    """Return *resolved* from the bundle's server: a folder of plain files, unless the server answers as its hub."""
    moved = place(resolved.name, resolved.source, bundle)
    if not moved:
        return resolved
    return resolved.model_copy(update={"source": "http", "repo": moved, "origin": moved, "endpoint": ""})


def place(name: str, source: str, bundle: Bundle | None) -> str:
    """Return the folder of the model *name* at the bundle's server, "" where it comes from elsewhere."""
    return f"{bundle.url}/models/{name}" if bundle and bundle.url and source not in HUBS else ""


def _image(image: SiteImage, url: str) -> SiteImage:
    """Return *image* with its archive at the server, where its content has an address of its own."""
    if image.archive is None:
        return image
    moved = {"url": f"{url}/sha256/{image.archive.sha256}", "obs": None, "path": None}
    return image.model_copy(update={"archive": image.archive.model_copy(update=moved)})
