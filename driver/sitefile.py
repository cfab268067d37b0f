"""Read site.yml and site.lock; report every fault at once by repairing what was reported and reading on."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from driver import catalog, document, paths, yamlfile
from driver.errors import SiteError
from driver.faults import Fault, Location, explain
from driver.repair import VARIANTS, repair, repair_text
from driver.site import Lock, Site

_ROUNDS = 12  # a repair may uncover a second fault in the same place, and a part that is absent as a whole takes four


@dataclass(frozen=True, slots=True)
class Reading:
    """What a site file says: *sites* is one site, or with *faults* of its form the copies that were repaired.

    A repaired copy is good for finding further faults and for nothing else; none is left where repair failed.
    """

    sites: tuple[Site, ...]
    faults: tuple[Fault, ...]


def read_lock(folder: Path) -> tuple[Lock, list[str]]:
    """Return the site.lock of *folder*, empty when there is none, and a line for every fault of it."""
    file = folder / paths.LOCK_FILE
    try:
        return (parse_lock(file) if file.is_file() else Lock()), []
    except SiteError as error:
        return Lock(), list(error.lines)


def parse_lock(file: Path) -> Lock:
    """Return what the lock *file* says; raises SiteError with one line for every fault."""
    return catalog.parse(file, Lock, yamlfile.MOST_OF_A_LOCK)


def read_site(file: Path) -> Reading:
    """Return what *file* says; raises SiteError when it is no YAML mapping at all."""
    name = paths.shown(file)
    data = document.read(file)
    jinja = document.jinja_faults(data, name)
    if not jinja:
        try:
            return Reading((Site.model_validate(data),), ())
        except ValidationError:
            pass  # explained below, together with what the repair uncovers
    outcomes = [_repaired(copy.deepcopy(data), name, jinja, variant) for variant in VARIANTS]
    sites = tuple(site for site, _ in outcomes if site is not None)
    faults = tuple(fault for fault in outcomes[0][1] if all(fault in other for _, other in outcomes))
    return Reading(sites if len(sites) == len(VARIANTS) else (), faults)


def _repaired(data: Any, name: str, jinja: list[Fault], variant: int) -> tuple[Site | None, list[Fault]]:
    """Return the site in *data* after repairing it, and every fault of its form."""
    faults = list(jinja)
    for fault in jinja:
        repair_text(data, fault.where, variant)
    for _ in range(_ROUNDS):
        try:
            return Site.model_validate(data), faults
        except ValidationError as error:
            found = explain(error, name, Site, data)
        faults += [fault for fault in found if not within(fault.where, faults)]
        outcomes = [repair(data, fault, Site, variant, len(faults) + at) for at, fault in enumerate(found)]
        if not all(outcomes):
            break
    return None, faults


def within(where: Location, faults: list[Fault] | tuple[Fault, ...]) -> bool:
    """Return whether *where* is the place of one of *faults*, or inside it."""
    return any(where[: len(fault.where)] == fault.where for fault in faults)
