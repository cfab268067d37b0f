"""What a site of correct form may still not say: unknown names, duplicates, things that two services claim."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from driver import engine as engines
from driver import npu_network
from driver.catalog import Catalog
from driver.faults import Location, listed
from driver.findings import Findings
from driver.host_refusals import HostCheck
from driver.image_refusals import ImageCheck
from driver.model_refusals import ModelsCheck
from driver.service_refusals import ServiceCheck
from driver.site import Site, SiteHost

_RESERVED = frozenset({"all", "localhost", "ungrouped"})  # names to which Ansible gives a meaning of its own


@dataclass(frozen=True, slots=True)
class Check:
    """One pass over *site*, which lies in *folder*; what is wrong goes to *found*."""

    site: Site
    catalog: Catalog
    found: Findings
    folder: Path

    def run(self) -> None:
        """Find every fault of the site against the catalog and within itself."""
        self.found.known(("release",), self.site.release, self.catalog.releases, "a release of the catalog")
        HostCheck(self.site, self.catalog, self.found, self.folder).run()
        self._hosts()
        npu_network.check(self.site.hosts, self.catalog.accelerators, self.found)
        ModelsCheck(self.site, self.catalog, self.found).run()
        self.found.unique("services", "name", [service.name for service in self.site.services])
        for index in range(len(self.site.services)):
            ServiceCheck(self.site, self.catalog, self.found, index).run()
        ImageCheck(self.site, self._images(), self.found).run()
        self._ports()
        self._cards()

    def _images(self) -> dict[str, str]:
        """Return the image of every service whose names are known."""
        kinds = {host.name: self.catalog.accelerators.get(host.accelerator.type) for host in self.site.hosts}
        images = {}
        for service in self.site.services:
            engine, kind = self.catalog.engines.get(service.engine), kinds.get(service.hosts[0])
            if engine is not None and kind is not None:
                tag = engines.image_tag(service.version, kind, service.variant)
                images[service.name] = f"{engine.repository}:{tag}"
        return images

    def _hosts(self) -> None:
        self.found.unique("hosts", "name", [host.name for host in self.site.hosts])
        self.found.unique("hosts", "address", [host.address for host in self.site.hosts])
        for index, host in enumerate(self.site.hosts):
            if host.name in _RESERVED:
                expected = "a name that means nothing else to Ansible"
                self.found.refuse(("hosts", index, "name"), host.name, expected, "rename the host")
            self._accelerator(("hosts", index, "accelerator"), host)

    def _accelerator(self, where: Location, host: SiteHost) -> None:
        cards, known = host.accelerator, self.catalog.accelerators
        if not self.found.known((*where, "type"), cards.type, known, "an accelerator of the catalog"):
            return
        profile = known[cards.type]
        if self.found.known((*where, "product"), cards.product, profile.products, f"a product of {profile.name}"):
            chips = profile.chips_of(cards.product)
            if cards.count % chips:
                expected = f"a multiple of {chips}: {cards.product} has {chips} chips on a card, and count counts chips"
                self.found.refuse((*where, "count"), str(cards.count), expected, "correct the number of chips")
        if cards.count > profile.chips_per_server_max:
            expected = f"at most {profile.chips_per_server_max}, as {profile.name} says"
            self.found.refuse((*where, "count"), str(cards.count), expected, "correct the number of cards")
        release = self.catalog.releases.get(self.site.release)
        if release is not None and profile.package_family not in release.families:
            found = f"{release.name}, which has no driver for {profile.package_family} ({host.name})"
            choice = [name for name, other in self.catalog.releases.items() if profile.package_family in other.families]
            self.found.refuse(("release",), found, f"one of {listed(choice)}", "choose another release")

    def _ports(self) -> None:
        """Refuse a port that two services want on one host: all containers share the host's network."""
        taken: dict[tuple[str, int], Location] = {}
        for index, service in enumerate(self.site.services):
            wanted = [("port", service.port)]
            engine = self.catalog.engines.get(service.engine)
            if service.distributed == "ray" and engine is not None:
                wanted.append(("ray_port", service.ray_port or engine.ray.port))
            for key, port in wanted:
                where: Location = ("services", index, key)
                first = taken.setdefault((service.hosts[0], port), where)
                if first != where:
                    found = f"{port} on {service.hosts[0]}, which {'.'.join(map(str, first))} has already"
                    self.found.refuse(where, found, "a port of its own", f"choose another {key}")

    def _cards(self) -> None:
        """Refuse a card that two services want on one host."""
        taken: dict[tuple[str, int], str] = {}
        known = {host.name: host for host in self.site.hosts}
        for index, service in enumerate(self.site.services):
            for name in dict.fromkeys(name for name in service.hosts if name in known):
                for card in engines.card_numbers(service, known[name]):
                    first = taken.setdefault((name, card), service.name)
                    if first != service.name:
                        found, advice = (
                            f"card {card} of {name}, which {first} has already",
                            "choose other cards or hosts",
                        )
                        self.found.refuse(("services", index, "cards"), found, "cards of its own", advice)
