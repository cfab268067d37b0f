"""How the sources of a site are asked: registries without TLS, logins of registries, the secrets that tokens are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driver.bundle.images import Access
from driver.vaults import Secrets, registry

if TYPE_CHECKING:
    from driver.resolved import ResolvedSite


def secrets(site: ResolvedSite) -> Secrets:
    """Return the secrets of *site*, each looked up when it is needed."""
    return Secrets(site.folder, site.secrets, site.vault.model_dump() if site.vault else None)


def of(site: ResolvedSite) -> Access:
    """Return how registries are asked; raises SiteError when a password is not where the site says."""
    known = secrets(site)
    logins = {
        login["host"]: (login["user"], known.value(registry(number))) for number, login in enumerate(site.registries)
    }
    return Access(frozenset(site.docker.daemon_options.get("insecure-registries", ())), logins)
