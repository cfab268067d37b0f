"""What a site may not say about its models: where they come from, where they go, who fetches them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from driver.catalog import Catalog
from driver.faults import Location, listed, suggestion
from driver.findings import Findings
from driver.resolve_models import users
from driver.site import Site, SiteModel
from driver.site_models import CONTROLLER, EACH, FIRST, HUBS, NAMED_IN_SITE
from driver.site_values import ALL


@dataclass(frozen=True, slots=True)
class ModelsCheck:
    """One pass over the models of *site*."""

    site: Site
    catalog: Catalog
    found: Findings

    def run(self) -> None:
        """Find every fault of the models, and of the moves that bring them to the hosts."""
        self.found.unique("models", "model", [placed.model for placed in self.site.models])
        used = {service.model for service in self.site.services}
        unknown = used - {placed.model for placed in self.site.models}  # reported there; it may be meant for this one
        for index, placed in enumerate(self.site.models):
            where: Location = ("models", index)
            if not self.found.known((*where, "model"), placed.model, self.catalog.models, "a model of the catalog"):
                continue
            self._source(where, placed)
            self._fetch(where, placed)
            self._named(where, placed)
            if placed.model not in used and not unknown and not placed.hosts:
                found = f"{placed.model}, which no service uses"
                advice = "remove it, add the service, or write hosts: those that get it all the same"
                self.found.refuse((*where, "model"), found, "a model of a service", advice)
        self._paths()
        self._port()

    def hosts(self, placed: SiteModel) -> list[str]:
        """Return the names of the hosts that need *placed*."""
        return users(self.site, placed)

    def _named(self, where: Location, placed: SiteModel) -> None:
        """Refuse hosts that are none, and a hub that no host of the model could ask."""
        names = [host.name for host in self.site.hosts]
        for position, name in enumerate(placed.hosts if placed.hosts != ALL else ()):
            if name not in names:
                expected = f"all, or a list of {listed(names)}"
                self.found.refuse((*where, "hosts", position), f"unknown host {name}", expected, "correct it")
        serving = {name for service in self.site.services for name in service.hosts}
        bare = [name for name in self.hosts(placed) if name not in serving]
        asking = bare if placed.fetch == EACH else [name for name in bare if name == placed.fetch]
        if placed.source in HUBS and placed.hosts and (asking or bare == self.hosts(placed) != []):
            found = f"{placed.fetch}, and {listed(asking or bare)} runs no service"
            expected = "a host that runs an engine, whose image has the client of the hub, or controller"
            if placed.fetch != CONTROLLER:
                self.found.refuse((*where, "fetch"), found, expected, "write fetch: controller, or name such a host")

    def _source(self, where: Location, placed: SiteModel) -> None:
        names = self.catalog.models[placed.model].sources.names
        named = [*names, *(name for name in NAMED_IN_SITE if name not in names)]
        if placed.source not in named:
            expected = f"a source of {placed.model}: {listed(named)}"
            advice = suggestion(placed.source, names, "choose another source, or add it to the model in the catalog")
            self.found.refuse(
                (*where, "source"), f"'{placed.source}', which {placed.model} does not have", expected, advice
            )
        elif placed.source not in NAMED_IN_SITE and placed.origin is not None:
            expected = f"no such key with source {placed.source}: the catalog names its place"
            self.found.refuse((*where, "from"), placed.origin, expected, "remove it, or choose source: http or path")
        elif placed.source not in names and placed.origin is None:
            what = (
                "the folder with the files"
                if placed.source == "path"
                else "the address of the folder with the manifest"
            )
            self.found.refuse((*where, "from"), "nothing", f"{what}, because source is {placed.source}", "add from")
        if (
            placed.source == "http"
            and placed.origin is not None
            and not placed.origin.startswith(("http://", "https://"))
        ):
            self.found.refuse(
                (*where, "from"), placed.origin, "an http or https address", "correct it, or say source: path"
            )
        if placed.source == "obs" and not self.site.obsutil.enabled:
            advice = "write obsutil: {enabled: true, endpoint: …, access_key: …, secret_key: …}"
            self.found.refuse((*where, "source"), "obs without obsutil", "the client of the object storage", advice)
        mirror = {str(name): url for name, url in self.site.mirrors.hub.items()}.get("openmind", "https:")
        if placed.source == "openmind" and not mirror.startswith("https:"):
            expected = "an https address: the client of openMind takes no other"
            self.found.refuse(("mirrors", "hub", "openmind"), mirror, expected, "correct it, or choose another source")
        if placed.source == "path" and placed.origin is not None:
            self._folder(where, placed, placed.origin)

    def _folder(self, where: Location, placed: SiteModel, origin: str) -> None:
        if placed.fetch != CONTROLLER and not origin.startswith("/"):
            expected = "an absolute path on the host that fetches"
            self.found.refuse((*where, "from"), origin, expected, "write it out, or say fetch: controller")
        if origin == placed.path and placed.fetch != CONTROLLER:
            expected = "another folder than models.path, where the files go"
            self.found.refuse((*where, "from"), origin, expected, "correct one of the two")

    def _fetch(self, where: Location, placed: SiteModel) -> None:
        hosts = self.hosts(placed)
        fetch, moves = placed.fetch, self.site.moves
        names = [host.name for host in self.site.hosts]
        if fetch not in (EACH, FIRST, CONTROLLER) and hosts and fetch not in hosts:
            foreign = "is not a host of the site" if fetch not in names else f"does not serve {placed.model}"
            expected = f"each, controller, or one of {listed(hosts)}"
            advice = suggestion(fetch, [EACH, CONTROLLER, *hosts], "correct it")
            self.found.refuse((*where, "fetch"), f"{fetch}, which {foreign}", expected, advice)
        elif fetch not in (EACH, FIRST) and not moves.enabled and (fetch == CONTROLLER or len(hosts) > 1):
            found = f"{fetch} with moves.enabled: false"
            expected = "each: without moves every host asks the source itself"
            self.found.refuse((*where, "fetch"), found, expected, "remove fetch, or enable the moves")
        if placed.shared and len(hosts) == 1:
            found = f"true, with {hosts[0]} as the only host"
            self.found.refuse((*where, "shared"), found, "storage that several hosts of the model see", "remove it")
        elif placed.shared and fetch == EACH:
            expected = "one host that writes, because the storage is shared"
            self.found.refuse((*where, "fetch"), EACH, expected, f"remove it, or name one of {listed(hosts)}")

    def _paths(self) -> None:
        """Refuse a folder that two models share, or that lies inside of another model's."""
        for index, placed in enumerate(self.site.models):
            for first, other in enumerate(self.site.models[:index]):
                here, there = PurePosixPath(placed.path), PurePosixPath(other.path)
                if here == there:
                    found = f"{placed.path}, which models.{first} has already"
                elif here.is_relative_to(there) or there.is_relative_to(here):
                    found = f"{placed.path}, with models.{first} at {other.path}: one lies inside of the other"
                else:
                    continue
                self.found.refuse(("models", index, "path"), found, "a folder of its own", "choose another path")
                break

    def _port(self) -> None:
        """Refuse a port of the moves that a service has: they go on while services run."""
        for index, service in enumerate(self.site.services if self.site.moves.enabled else ()):
            engine = self.catalog.engines.get(service.engine)
            ray = (service.ray_port or engine.ray.port) if engine and service.distributed == "ray" else None
            if self.site.moves.port in (service.port, ray):
                key = "port" if service.port == self.site.moves.port else "ray_port"
                found = f"{self.site.moves.port}, which services.{index}.{key} has already"
                self.found.refuse(("moves", "port"), found, "a port of its own", "choose another port")
