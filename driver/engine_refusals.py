"""What a service may not ask of its engine and of its model: both have to fit the cards."""

from __future__ import annotations

from dataclasses import dataclass

from driver import engine as engines
from driver import secret, sizing
from driver.catalog import Catalog
from driver.catalog_models import Accelerator, Model
from driver.engine_models import ArgumentValue, Engine, EngineVersion
from driver.faults import Location, listed, suggestion
from driver.findings import Findings
from driver.site import Site, SiteHost, SiteService
from driver.versions import within


@dataclass(frozen=True, slots=True)
class _Part:
    """One *service* on *hosts*; *where* is the path to it in the site file."""

    site: Site
    catalog: Catalog
    found: Findings
    service: SiteService
    hosts: list[SiteHost]
    where: Location

    @property
    def accelerators(self) -> list[Accelerator]:
        """Return the known accelerators of the hosts, each once."""
        kinds = dict.fromkeys(host.accelerator.type for host in self.hosts)
        return [self.catalog.accelerators[kind] for kind in kinds if kind in self.catalog.accelerators]

    def refuse(self, where: Location, found: str, expected: str, advice: str) -> None:
        """Note a fault at *where* inside the service."""
        self.found.refuse((*self.where, *where), found, expected, advice)


class EngineCheck(_Part):
    """One pass over engine, version, arguments and variables of a service."""

    def run(self) -> None:
        """Find what the engine cannot do, and what may not be told to it."""
        service, known = self.service, self.catalog.engines
        for key, given in (("arguments", service.arguments), ("environment", service.environment)):
            for where in secret.addresses(given, (key,)):
                self.refuse(where, "an address with user or password", secret.EXPECTED, secret.ADVICE)
        if not self.found.known((*self.where, "engine"), service.engine, known, "an engine of the catalog"):
            return
        engine = known[service.engine]
        for accelerator in self.accelerators:
            if accelerator.name not in engine.accelerators:
                expected = f"an engine with an image for it; {engine.name} has some for {listed(engine.accelerators)}"
                self.refuse(("engine",), f"{engine.name} on {accelerator.name}", expected, "choose another engine")
        place, what = (*self.where, "version"), f"a version of {engine.name}"
        if not self.found.known(place, service.version, engine.versions, what):
            return
        version = engine.versions[service.version]
        if service.variant is not None:
            what = f"an image variant of {engine.name} {service.version}"
            self.found.known((*self.where, "variant"), service.variant, version.variants, what)
        for key in service.arguments:
            self._argument(engine, version, key)
        for name in service.environment:
            self._variable(engine, version, name)
        self._driver(engine, version)

    def _argument(self, engine: Engine, version: EngineVersion, key: str) -> None:
        name, where = engines.argument_name(key), ("arguments", key)
        unfit = engines.unfit_argument(engine, version.engine, name)
        owner = engine.owned.owner(name)
        if owner is not None:
            self.refuse(where, f"the argument {key}", "an argument that no key of the service owns", f"use {owner}")
        elif secret.named(name):
            self.refuse(where, f"a secret ({key})", "no secrets in a site file", "leave it out")
        elif unfit is not None and not unfit.dropped:
            expected = f"an argument of {engine.name} {version.engine}"
            self.refuse(where, f"{key} ({unfit.reason})", expected, f"use {unfit.use}")
        elif unfit is not None:
            self._left_out(where, unfit.reason, unfit.use)

    def _variable(self, engine: Engine, version: EngineVersion, name: str) -> None:
        where = ("environment", name)
        unfit = engines.unfit_variable(engine, version.engine, name)
        if name in engines.owned_variables(engine, self.accelerators):
            expected = "a variable that has the same value on every host"
            self.refuse(where, name, expected, "leave it out: it is set from cards and address")
        elif secret.named(name):
            self.refuse(where, f"a secret ({name})", "no secrets in a site file", "leave it out")
        elif unfit is not None:
            self._left_out(where, unfit.reason, unfit.use)

    def _left_out(self, where: Location, reason: str, use: str) -> None:
        text = f"left out for {self.service.engine} {self.service.version}: {reason}; use {use}"
        self.found.warn((*self.where, *where), text)

    def _driver(self, engine: Engine, version: EngineVersion) -> None:
        """Warn when the release's driver is older than what the image's stack asks for."""
        release = self.catalog.releases.get(self.site.release)
        if release is None or version.driver_min is None:
            return
        for accelerator in self.accelerators:
            family = release.families.get(accelerator.package_family)
            if family is not None and not within(family.driver.version, version.driver_min, None):
                wish = f"{engine.name} {self.service.version} wants driver {version.driver_min} or newer"
                text = f"{wish}, release {release.name} has {family.driver.version}: {version.driver_reason}"
                self.found.warn((*self.where, "version"), text)


def _or_default(value: ArgumentValue, default: float) -> ArgumentValue:
    """Return *value*, or *default* for an argument that is absent or taken away."""
    return default if value is None or value is False else value


class ModelCheck(_Part):
    """One pass over the model of a service: does it divide, does it fit."""

    def run(self) -> None:
        """Find what the model's architecture does not allow."""
        placed = [model.model for model in self.site.models]
        name = self.service.model
        # a model of the site that the catalog does not know is reported there; it may be meant for this one
        if name not in placed and (name not in self.catalog.models or set(placed) <= set(self.catalog.models)):
            expected = f"one that the site lists under models: {listed(placed)}"
            advice = suggestion(name, placed, "correct it, or add it to models")
            self.refuse(("model",), f"unknown model {name}", expected, advice)
        model = self.catalog.models.get(name)
        if model is None:
            return
        shape, parallel = model.architecture, self.service.parallel
        self._experts(model)
        if shape.attention_heads % parallel.tensor:
            expected = f"a divisor of the {shape.attention_heads} attention heads of {name}"
            self.refuse(("parallel", "tensor"), str(parallel.tensor), expected, "choose another number")
        elif shape.kv_heads % parallel.tensor and parallel.tensor % shape.kv_heads:
            expected = f"a divisor or a multiple of the {shape.kv_heads} KV heads of {name}"
            self.refuse(("parallel", "tensor"), str(parallel.tensor), expected, "choose another number")
        if parallel.pipeline > shape.layers:
            expected = f"at most the {shape.layers} layers of {name}"
            self.refuse(("parallel", "pipeline"), str(parallel.pipeline), expected, "choose another number")

    def _experts(self, model: Model) -> None:
        engine = self.catalog.engines.get(self.service.engine)
        for key, value in self.service.arguments.items() if engine and not model.architecture.experts else ():
            if value and engine and engines.argument_name(key) in engine.expert_arguments:
                self.refuse(("arguments", key), f"{key} for {model.name}", "a model with experts", "remove it")

    def memory(self) -> None:
        """Refuse a model that cannot fit; only for a service without other faults."""
        model = self.catalog.models.get(self.service.model)
        if model is None:
            return  # reported with the models
        engine = self.catalog.engines[self.service.engine]
        given, size = engines.arguments(engine, model, self.service), engine.sizing
        utilization = _or_default(given.get(size.utilization_argument), size.utilization_default)
        length = _or_default(given.get(size.length_argument), model.architecture.context)
        if isinstance(utilization, bool) or not isinstance(utilization, int | float) or not 0 < utilization <= 1:
            where = ("arguments", engine.sizing.utilization_argument)
            self.refuse(where, repr(utilization), "a number above 0 and up to 1", "correct it")
        elif isinstance(length, bool) or not isinstance(length, int) or length < 1:
            where = ("arguments", engine.sizing.length_argument)
            self.refuse(where, repr(length), "a number of tokens from 1", "correct it")
        else:
            for host in {host.accelerator.product: host for host in reversed(self.hosts)}.values():
                self._fit(model, engine, host, float(utilization), length)

    def _fit(self, model: Model, engine: Engine, host: SiteHost, utilization: float, length: int) -> None:
        profile = self.catalog.accelerators.get(host.accelerator.type)
        product = profile.products.get(host.accelerator.product) if profile else None
        if product is None:
            return  # reported with the host
        reserve_mib = engine.sizing.reserve_mib
        card = sizing.Card(hbm_mib=product.hbm_mib, utilization=utilization, reserve_mib=reserve_mib)
        room = sizing.fit(model, self.service.parallel, card)
        name = f"{host.accelerator.product} in {host.name}"
        if room.cache <= 0:
            found = (
                f"{model.name}, {sizing.gib(room.weights)} of weights per card and {sizing.gib(room.reserve)} beside"
            )
            expected = (
                f"at most {sizing.gib(room.budget)}, which is {utilization} of the {sizing.gib(room.hbm)} of {name}"
            )
            self.refuse(("model",), found, expected, "use more cards, or a quantized model")
        elif length > room.longest:
            found = f"{length} tokens, a cache of {sizing.gib(length * room.token)} per card"
            expected = f"at most {room.longest} tokens in the {sizing.gib(room.cache)} that are left of {name}"
            where = ("arguments", engine.sizing.length_argument)
            self.refuse(where, found, expected, "lower it, or use more cards")
