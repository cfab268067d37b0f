"""What a file of catalog/engines may say, as frozen models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from driver.site import Spec
from driver.versions import within

Positive = Annotated[StrictInt, Field(ge=1)]
Natural = Annotated[StrictInt, Field(ge=0)]
Words = tuple[str, ...]
ArgumentValue = bool | int | float | str | list[str | int | float] | dict[str, object] | None


class Ranged(Spec):
    """Something that holds from version *since* on, up to but without version *below* (of the engine)."""

    since: str | None = None
    below: str | None = None

    def holds(self, version: str) -> bool:
        """Return whether it holds for the engine's *version*."""
        return within(version, self.since, self.below)


class EngineVersion(Spec):
    """One release of an engine's image; *driver_min* is what its stack asks of the driver, for *driver_reason*."""

    engine: str
    python: str | None = None
    cann: str | None = None
    released: str | None = None
    variants: Words = ()
    size_bytes: Natural = 0
    driver_min: str | None = None
    driver_reason: str | None = None


class EngineArgument(Ranged):
    """An argument that we give; the site may override it."""

    name: str
    value: ArgumentValue


class EngineVariable(Ranged):
    """A variable that we set; {address}, {interface} and {cards} are the host's own."""

    name: str
    value: str
    scope: Literal["always", "several_hosts"] = "always"


class Unfit(Ranged):
    """An argument or variable that must not be given: the *reason*, and what to *use*.

    A *dropped* one is left out with a warning, because it once was right; the others are refused.
    """

    reason: str
    use: str
    dropped: StrictBool = False


class RayStart(Ranged):
    """The words of `ray start`; {head}, {port}, {address} and {count} are filled in."""

    head: Words
    worker: Words


class RayMode(Spec):
    """How the engine runs over Ray."""

    port: Positive
    backend_argument: str
    backend_value: str
    start: tuple[RayStart, ...]


class Endpoints(Spec):
    """Paths of the engine's HTTP service."""

    health: str
    models: str
    chat: str
    metrics: str


class Stop(Spec):
    """How the engine is stopped."""

    signal: str
    grace_seconds: Positive


class Sizing(Spec):
    """Names and defaults of the arguments about memory; *reserve_mib* is for what is neither weights nor cache."""

    utilization_argument: str
    utilization_default: float
    length_argument: str
    reserve_mib: Natural


class Owned(Spec):
    """Arguments whose values come from keys of the site file, by argument name."""

    model: str
    host: str
    port: str
    served_name: str
    tensor: str
    pipeline: str
    backend: str

    def owner(self, name: str) -> str | None:
        """Return the key of a service that the argument *name* comes from; None when the site may give it itself."""
        owners = {
            self.model: "model",
            self.host: "nothing: the engine listens on all addresses",
            self.port: "port",
            self.served_name: "served_name",
            self.tensor: "parallel.tensor",
            self.pipeline: "parallel.pipeline",
            self.backend: "distributed",
        }
        return owners.get(name)


class Engine(Spec):
    """One inference engine."""

    name: str
    repository: str
    command: Words
    listen: str
    shell: Words
    accelerators: Words
    chip_suffixes: Words = ()
    endpoints: Endpoints
    ready_timeout_seconds: Positive
    stop: Stop
    ray: RayMode
    sizing: Sizing
    owned: Owned
    versions: dict[str, EngineVersion]
    arguments: tuple[EngineArgument, ...]
    environment: tuple[EngineVariable, ...]
    expert_arguments: Words
    unfit_arguments: dict[str, tuple[Unfit, ...]]
    unfit_environment: dict[str, tuple[Unfit, ...]]
