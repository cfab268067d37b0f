"""Resolve the models of a site: where each comes from, at which commit, which host fetches it, which files it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from driver import bundled
from driver.catalog import Catalog
from driver.resolved import HostModel, Member, ResolvedModel, ResolvedMoves
from driver.site import Site
from driver.site_models import CONTROLLER, EACH, FIRST, HUBS, Lock, LockedModel, SiteModel
from driver.site_values import ALL

COMMITTED = (*HUBS, "git")
"""Sources whose revisions are names of commits; of the others site.lock remembers the files alone."""
_COMMIT_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a checked *site*; *local* makes a path of this machine absolute."""

    site: Site
    catalog: Catalog
    lock: Lock
    local: Callable[[str], str]

    def resolved(self, placed: SiteModel) -> ResolvedModel:
        """Return *placed* and the hosts that need it on their disks."""
        repo, requested = self._asked(placed)
        hosts = self._hosts(placed)
        locked = self._locked(placed, repo, requested)
        files = locked.files if locked else ()
        found = ResolvedModel(
            name=placed.model,
            path=placed.path,
            source=placed.source,
            repo=repo,
            revision=locked.revision if locked else requested,
            endpoint=self._endpoint(placed),
            size_bytes=sum(file.size for file in files) or self.catalog.models[placed.model].size_bytes,
            fetch=self._fetch(placed, hosts),
            shared=placed.shared,
            origin=repo if placed.origin else "",
            files=files,
            hosts=hosts,
            requested=requested,
            locked=locked is not None,
        )
        return bundled.model(found, self.site.bundle)

    def on_host(self, placed: SiteModel, image: str) -> HostModel:
        """Return *placed* for a host that serves it; the engine's *image* has the hubs' clients."""
        return HostModel(**self.resolved(placed).model_dump(exclude={"hosts", "requested", "locked"}), image=image)

    def moves(self) -> ResolvedMoves:
        """Return how the hosts pass files on to each other."""
        members = tuple(Member(host=host.name, address=host.address) for host in self.site.hosts)
        return ResolvedMoves(**self.site.moves.model_dump(), members=members)

    def tokens(self) -> tuple[str, ...]:
        """Return the sources of the site's models for which it names a token."""
        used = {placed.source for placed in self.site.models}
        return tuple(name for name in type(self.site.tokens).model_fields if name in used and self._token(name))

    def _token(self, name: str) -> bool:
        return getattr(self.site.tokens, name) is not None

    def unpinned(self, file: str) -> list[str]:
        """Return a line for every model whose revision in *file* may be another one tomorrow, and is not locked."""
        lines = []
        for index, placed in enumerate(self.site.models):
            model = self.resolved(placed)
            if model.locked or placed.source not in COMMITTED or _is_commit(model.requested):
                continue
            lines.append(
                f"{file}: models.{index}.source: {model.requested} of {model.repo} is a branch, or may be one, which "
                "may move between two hosts; `provision lock` writes the commit that it is now into site.lock"
            )
        return lines

    def _asked(self, placed: SiteModel) -> tuple[str, str]:
        """Return the source's name for the model and the revision that is asked for, "" where it has none."""
        if placed.origin:
            web = placed.origin.startswith(("http://", "https://"))
            return placed.origin if web or placed.fetch != CONTROLLER else self.local(placed.origin), ""
        source = self.catalog.models[placed.model].sources.get(placed.source)
        return (source.repo, source.revision) if source else ("", "")

    def _endpoint(self, placed: SiteModel) -> str:
        if placed.source == "obs":
            return self.site.obsutil.endpoint or ""
        return {str(name): url for name, url in self.site.mirrors.hub.items()}.get(placed.source, "")

    def _hosts(self, placed: SiteModel) -> tuple[str, ...]:
        return tuple(users(self.site, placed))

    def _fetch(self, placed: SiteModel, hosts: tuple[str, ...]) -> str:
        if placed.fetch != FIRST:
            return placed.fetch
        alone = not self.site.moves.enabled and not placed.shared
        if alone or not hosts:
            return EACH
        serving = {name for service in self.site.services for name in service.hosts}
        return next((name for name in hosts if name in serving), hosts[0])  # the engine's image has the hubs' clients

    def _locked(self, placed: SiteModel, repo: str, requested: str) -> LockedModel | None:
        """Return what site.lock has of *placed*; None when it has nothing, or something else."""
        found = self.lock.models.get(placed.model)
        there = bundled.place(placed.model, placed.source, self.site.bundle)  # as a run under a bundle writes it
        known = {(placed.source, repo, requested), ("http", there, requested)}
        return found if found and (found.source, found.repo, found.requested) in known else None


def users(site: Site, placed: SiteModel) -> list[str]:
    """Return the names of the hosts that get *placed*: their services use it, or the site names them for it."""
    used = {name for service in site.services if service.model == placed.model for name in service.hosts}
    return [host.name for host in site.hosts if placed.hosts == ALL or host.name in {*used, *placed.hosts}]


def _is_commit(revision: str) -> bool:
    return len(revision) == _COMMIT_DIGITS and set(revision) <= set("0123456789abcdef")
