"""Build a bundle: everything that is missing, one thing after another, each noted in the manifest once it is whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from driver import units
from driver.bundle import contents, views
from driver.bundle.contents import Manifest
from driver.bundle.store import DiskFault, Store
from driver.bundle.survey import Item
from driver.errors import TaskFailed

Say = Callable[[str], None]
_EVERY_SECONDS = 5.0


@dataclass(slots=True)
class Meter:
    """Says now and then how far the whole work is."""

    total: int
    say: Say
    done: int = 0
    moved: int = 0
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def start(self) -> Callable[[int], None]:
        """Return what hears the bytes of the next thing."""
        before, self.moved = self.done, 0

        def heard(count: int) -> None:
            self.done = before + count
            now = time.monotonic()
            if now - self.last >= _EVERY_SECONDS:
                self.last = now
                self.say(self.line(now))

        return heard

    def line(self, now: float) -> str:
        """Return bytes, rate and remaining time."""
        rate = self.done / max(now - self.began, 0.001)
        text = f"  {units.size(self.done)} of {units.size(self.total)}, {units.size(rate)}/s"
        rest = max(self.total - self.done, 0)
        return f"{text}, {units.duration(rest / rate)} left" if rate and rest else text


def build(store: Store, manifest: Manifest, site: str, items: Iterable[Item], say: Say) -> Manifest:
    """Bring all of *items* that can be had; return the manifest, which is on disk, too.

    Raises TaskFailed with the reason of everything that could not be had; the rest is there nevertheless.
    """
    several = list(items)
    store.require(max(0, sum(item.rest for item in several if item.bring) - store.unfinished()))
    manifest = manifest.model_copy(update={"sites": tuple(sorted({*manifest.sites, site}))})
    contents.write(store.root, manifest)
    meter = Meter(sum(item.rest for item in several if item.bring), say)
    faults = [f"{item.kind} {item.name}: {item.fault}" for item in several if item.fault]
    for item in several:
        if item.bring is None:
            continue
        say(f"fetch {item.kind} {item.name}{f' ({units.size(item.rest)})' if item.rest else ''}")
        try:
            for made in item.bring(meter.start()):
                manifest = contents.with_one(manifest, made)
        except DiskFault:
            raise
        except TaskFailed as error:
            faults.append(f"{item.kind} {error}")
            continue
        contents.write(store.root, manifest)
    views.write(store, manifest)
    if faults:
        raise TaskFailed("\n".join([*faults, "Everything else is in the bundle; run the same again for the rest."]))
    return manifest
