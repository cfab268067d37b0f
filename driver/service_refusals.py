"""What one service may not say about where it runs: hosts that do not exist, cards that are not there."""

from __future__ import annotations

from dataclasses import dataclass

from driver import engine as engines
from driver.catalog import Catalog
from driver.engine_refusals import EngineCheck, ModelCheck
from driver.faults import Location, listed, suggestion
from driver.findings import Findings
from driver.site import CardCount, Site, SiteHost, SiteService


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """One pass over the service number *index* of *site*; what depends on an unknown name is passed over."""

    site: Site
    catalog: Catalog
    found: Findings
    index: int

    @property
    def service(self) -> SiteService:
        """Return the service."""
        return self.site.services[self.index]

    @property
    def hosts(self) -> list[SiteHost]:
        """Return those hosts of the service that the site has."""
        known = {host.name: host for host in self.site.hosts}
        return [known[name] for name in dict.fromkeys(self.service.hosts) if name in known]

    def run(self) -> None:
        """Find the faults of the service."""
        before = len(self.found.faults)
        self._names()
        self._together()
        self._cards()
        where: Location = ("services", self.index)
        EngineCheck(self.site, self.catalog, self.found, self.service, self.hosts, where).run()
        model = ModelCheck(self.site, self.catalog, self.found, self.service, self.hosts, where)
        model.run()
        if len(self.found.faults) == before:
            model.memory()

    def _names(self) -> None:
        names = [host.name for host in self.site.hosts]
        twice = len(set(names)) < len(names)  # reported with the hosts; the name that is missing now is its other side
        for position, name in enumerate(self.service.hosts):
            if name not in names and not twice:
                expected = f"one of {listed(names)}"
                advice = suggestion(name, names, "correct it, or add it to hosts")
                self._refuse(("hosts", position), f"unknown host {name}", expected, advice)
            elif name in self.service.hosts[:position]:
                self._refuse(("hosts", position), f"{name} a second time", "every host once", "remove it")

    def _together(self) -> None:
        """Check what only a service on several hosts has to do with."""
        several = len(self.service.hosts) > 1
        if several and self.service.distributed == "none":
            found = f"none with {len(self.service.hosts)} hosts"
            advice = "write distributed: ray, or name one host"
            self._refuse(("distributed",), found, "ray: one process cannot span hosts", advice)
        kinds = sorted({host.accelerator.type for host in self.hosts} & set(self.catalog.accelerators))
        if len(kinds) > 1:
            expected = "one kind of accelerator for all hosts of a service"
            self._refuse(("hosts",), listed(kinds), expected, "choose hosts with equal cards")
        for host in self.hosts if several else []:
            if host.interface is None:
                where: Location = ("hosts", self.site.hosts.index(host), "interface")
                expected = f"the network interface, because {self.service.name} spans several hosts"
                advice = f"name the one that carries {host.address} (`ip -brief address` shows it)"
                self.found.refuse(where, "nothing", expected, advice)

    def _cards(self) -> None:
        chosen = self.service.cards
        where: Location = ("cards", "count") if isinstance(chosen, CardCount) else ("cards",)
        numbers = sorted({len(engines.card_numbers(self.service, host)) for host in self.hosts})
        small = min(self.hosts, key=lambda host: host.accelerator.count, default=None)
        if small is not None and self._beyond(small):
            count = small.accelerator.count
            expected = f"cards 0 to {count - 1}, because {small.name} has {count}"
            self._refuse(where, f"card {listed(self._beyond(small))} on {small.name}", expected, "correct the cards")
        elif isinstance(chosen, tuple) and not chosen:
            self._refuse(where, "no card", "at least one", "name the cards, or remove the key for all of them")
        elif isinstance(chosen, tuple) and len(set(chosen)) < len(chosen):
            self._refuse(where, listed(chosen), "every card once", "remove the second one")
        elif len(numbers) > 1:
            expected = "the same number of cards on every host"
            self._refuse(where, f"{listed(numbers)} cards", expected, "write cards: {count: N}")
        else:
            self._parallel()

    def _beyond(self, host: SiteHost) -> list[int]:
        """Return the chosen cards that *host* does not have."""
        return [card for card in engines.card_numbers(self.service, host) if card >= host.accelerator.count]

    def _parallel(self) -> None:
        service, parallel, hosts = self.service, self.service.parallel, self.hosts
        if len(hosts) != len(service.hosts):
            return  # a host is unknown or named twice, and reported; how many cards were meant is not known
        cards = [len(engines.card_numbers(service, host)) for host in hosts]
        wanted, there = parallel.tensor * parallel.pipeline, sum(cards)
        if wanted != there:
            found = f"tensor {parallel.tensor} x pipeline {parallel.pipeline} = {wanted} cards"
            expected = f"{there} cards: {len(hosts)} hosts x {cards[0]} cards"
            self._refuse(("parallel",), found, expected, "change parallel, cards or hosts until the two are equal")

    def _refuse(self, where: Location, found: str, expected: str, advice: str) -> None:
        self.found.refuse(("services", self.index, *where), found, expected, advice)
