"""The words of an inference engine: its arguments, its environment, its Ray cluster; all of it from catalog data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from driver.catalog_models import Accelerator, Model
from driver.engine_models import ArgumentValue, Engine, Unfit
from driver.site import CardCount, SiteHost, SiteService

Arguments = dict[str, ArgumentValue]


def argument_name(key: str) -> str:
    """Return the one spelling of an argument: engines take max_model_len, --max-model-len and max-model-len alike."""
    return key.lstrip("-").replace("_", "-").lower()


def arguments(engine: Engine, model: Model, service: SiteService) -> Arguments:
    """Return the arguments by name: the engine's, over them the model's, over them the site's own."""
    version = engine.versions[service.version].engine
    recommended = (*engine.arguments, *model.arguments.get(engine.name, ()))
    merged: Arguments = {item.name: item.value for item in recommended if item.holds(version)}
    merged.update({argument_name(key): value for key, value in service.arguments.items()})
    return {name: value for name, value in merged.items() if not unfit_argument(engine, version, name)}


def unfit_argument(engine: Engine, version: str, name: str) -> Unfit | None:
    """Return why the engine's *version* must not get the argument *name*; None if it may."""
    return next((item for item in engine.unfit_arguments.get(name, ()) if item.holds(version)), None)


def unfit_variable(engine: Engine, version: str, name: str) -> Unfit | None:
    """Return why the variable *name* is useless to the engine's *version*; None if it is not."""
    return next((item for item in engine.unfit_environment.get(name, ()) if item.holds(version)), None)


def words(given: Mapping[str, ArgumentValue]) -> list[str]:
    """Return arguments as words of a command line.

    True is the flag alone; False and None take an argument away, which is how a site undoes a recommendation; a
    mapping becomes compact JSON, a list several words.
    """
    line: list[str] = []
    for name, value in given.items():
        if value is None or value is False:
            continue
        line.append(f"--{name}")
        if isinstance(value, dict):
            line.append(json.dumps(value, separators=(",", ":"), ensure_ascii=False))
        elif isinstance(value, list):
            line.extend(str(item) for item in value)
        elif value is not True:
            line.append(str(value))
    return line


def serve_argv(engine: Engine, model: Model, service: SiteService, model_path: str) -> list[str]:
    """Return the engine's own command line, e.g. vllm serve PATH --host 0.0.0.0 …"""
    own = engine.owned
    fixed: Arguments = {
        own.host: engine.listen,
        own.port: service.port,
        own.served_name: service.served_name or model.title,
        own.tensor: service.parallel.tensor,
    }
    if service.parallel.pipeline > 1:
        fixed[own.pipeline] = service.parallel.pipeline
    if service.distributed == "ray":
        fixed[own.backend] = engine.ray.backend_value
    return [*engine.command, model_path, *words(fixed), *words(arguments(engine, model, service))]


def owned_variables(engine: Engine, accelerators: Iterable[Accelerator]) -> set[str]:
    """Return the variables that a site cannot set: they differ from host to host, or come from `cards`."""
    own = {item.name for item in engine.environment if "{address}" in item.value}
    chosen = [kind.visible_devices for kind in accelerators]
    return own | {visible.process for visible in chosen} | {visible.runtime for visible in chosen}


def environment(
    engine: Engine, accelerator: Accelerator, service: SiteService, host: SiteHost, cards: int
) -> dict[str, str]:
    """Return the variables of the service's container on *host*, which gives it *cards* cards.

    Inside a container the cards count from 0 whatever their numbers on the host are.
    """
    version = engine.versions[service.version].engine
    inside = ",".join(map(str, range(cards)))
    values = {"{address}": host.address, "{interface}": host.interface or "", "{cards}": inside}
    chosen = {
        item.name: filled(item.value, values)
        for item in engine.environment
        if item.holds(version) and (item.scope == "always" or len(service.hosts) > 1)
    }
    chosen[accelerator.visible_devices.process] = inside
    site = {name: value for name, value in service.environment.items() if not unfit_variable(engine, version, name)}
    return chosen | site


def ray_argv(engine: Engine, service: SiteService, *, head: SiteHost, host: SiteHost, cards: int) -> list[str]:
    """Return the `ray start` of *host*; the caller has checked that the engine's version has one."""
    version = engine.versions[service.version].engine
    start = next(item for item in engine.ray.start if item.holds(version))
    values = {
        "{head}": head.address,
        "{port}": str(service.ray_port or engine.ray.port),
        "{address}": host.address,
        "{count}": str(cards),
    }
    return [filled(word, values) for word in (start.head if host.name == head.name else start.worker)]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with each of the placeholders in *values* replaced; other braces stay, JSON has them too."""
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def image_tag(version: str, accelerator: Accelerator, variant: str | None) -> str:
    """Return the tag of an engine image: version, the accelerator's suffix, the variant."""
    return f"{version}{accelerator.image_suffix}{f'-{variant}' if variant else ''}"


def card_numbers(service: SiteService, host: SiteHost) -> tuple[int, ...]:
    """Return the cards of *service* on *host*, as the driver numbers them; without a choice all cards."""
    if service.cards is None:
        return tuple(range(host.accelerator.count))
    return tuple(range(service.cards.count)) if isinstance(service.cards, CardCount) else service.cards


def device_nodes(accelerator: Accelerator, cards: Iterable[int]) -> tuple[str, ...]:
    """Return the device nodes of *cards*, which are the driver's physical numbers."""
    return tuple(filled(accelerator.device_nodes.per_card, {"{card}": str(card)}) for card in cards)


def longest(engine: Engine, model: Model, service: SiteService) -> int:
    """Return the longest sequence that the service is asked to hold, in tokens."""
    given = arguments(engine, model, service).get(engine.sizing.length_argument)
    return given if isinstance(given, int) and not isinstance(given, bool) else model.architecture.context
