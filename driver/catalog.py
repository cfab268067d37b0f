"""The one reader of the catalog: plain data that operators edit, checked by strict models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from driver import document, paths, yamlfile
from driver.catalog_models import Accelerator, Model, Release
from driver.engine_models import Engine
from driver.errors import SiteError
from driver.faults import Fault, explain

Entry = TypeVar("Entry", Accelerator, Engine, Model, Release)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that the catalog holds, by name."""

    accelerators: Mapping[str, Accelerator]
    engines: Mapping[str, Engine]
    models: Mapping[str, Model]
    releases: Mapping[str, Release]


def load(folder: Path = paths.CATALOG) -> Catalog:
    """Read the whole catalog below *folder*; raises SiteError with every fault of every file."""
    faults: list[str] = []
    catalog = Catalog(
        accelerators=_entries(folder / "accelerators", Accelerator, faults),
        engines=_entries(folder / "engines", Engine, faults),
        models=_entries(folder / "models", Model, faults),
        releases=_entries(folder / "releases", Release, faults),
    )
    if faults:
        raise SiteError(faults)
    return catalog


def _entries(folder: Path, model: type[Entry], faults: list[str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for file in sorted(folder.glob("*.yml")):
        try:
            entry = parse(file, model)
        except SiteError as error:
            faults.extend(error.lines)
            continue
        if entry.name != file.stem:
            faults.append(
                str(Fault(paths.shown(file), ("name",), entry.name, file.stem, "name the file and its entry alike"))
            )
        found[entry.name] = entry
    if not found and not faults:
        faults.append(f"{paths.shown(folder)}: found no file; expected at least one *.yml; restore the catalog")
    return found


Document = TypeVar("Document", bound=BaseModel)


def parse(file: Path, model: type[Document], most: int = yamlfile.MOST_CHARACTERS) -> Document:
    """Return *file* as *model*; raises SiteError with one line for every fault."""
    data = document.read(file, most)
    name = paths.shown(file)
    jinja = document.jinja_faults(data, name)
    try:
        entry = model.model_validate(data)
    except ValidationError as error:
        raise SiteError(map(str, [*jinja, *explain(error, name, model, data)])) from error
    if jinja:
        raise SiteError(map(str, jinja))
    return entry
