"""One fault, one line: where it stands, what was found, what was expected, what to do."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from driver.wording import meant, wording

Location = tuple[str | int, ...]
UNKNOWN = "unknown key"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a site or catalog file; *where* is the path inside the file."""

    file: str
    where: Location
    found: str
    expected: str
    advice: str

    def __str__(self) -> str:
        """Return the line that the operator reads."""
        place = ".".join(map(str, self.where)) or "(whole file)"
        return f"{self.file}: {place}: found {self.found}; expected {self.expected}; {self.advice}"


def suggestion(word: object, known: Iterable[str], otherwise: str = "correct it, or add it to the catalog") -> str:
    """Return advice for a *word* that is none of *known*: the nearest one, or *otherwise* where none is near."""
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return meant(close[0]) if close else otherwise


def listed(known: Iterable[object]) -> str:
    """Return *known* as it stands in a message."""
    return ", ".join(map(str, known)) or "(none)"


def explain(error: ValidationError, file: str, model: type[BaseModel], data: object) -> list[Fault]:
    """Return one fault for every error of pydantic's *error* about *data*, which was to become *model*."""
    items = [dict(item) for item in error.errors(include_url=False) if not _consequence(item)]
    faults = [_fault(item, file, model, data) for item in items]
    # A key that is written wrong is missing under its right name, too: one mistake, one line.
    near = {(fault.where[:-1], fault.advice) for fault in faults if fault.where}
    return [fault for fault in faults if not fault.where or (fault.where[:-1], meant(fault.where[-1])) not in near]


def _consequence(item: Mapping[str, Any]) -> bool:
    """Return whether the error only says that a list is too short without its faulty entries."""
    return bool(item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"])


def _fault(item: Mapping[str, Any], file: str, model: type[BaseModel], data: object) -> Fault:
    where, kind = real_location(item["loc"], data), item["type"]
    if kind in {"extra_forbidden", "invalid_key"}:
        known = sorted(map(str, fields_at(model, where[:-1])))
        close = difflib.get_close_matches(str(where[-1]), known, n=1)
        advice = meant(close[0]) if close else "remove it"
        return Fault(file, where, f"{UNKNOWN} {where[-1]}", f"one of {listed(known)}", advice)
    if kind == "missing":
        return Fault(file, where, "nothing", _missing(model, where), f"add {where[-1]}")
    return Fault(file, where, *wording(item))


def _missing(model: type[BaseModel], where: Location) -> str:
    """Return what belongs at *where*, as its field says of itself."""
    field = fields_at(model, where[:-1]).get(where[-1])
    checks = [getattr(part, "func", None) for part in field.metadata] if field else []
    described = [str(what) for check in checks if (what := getattr(check, "what", None))]
    return (field.description if field and field.description else None) or next(iter(described), "a value")


def real_location(loc: Sequence[str | int], data: object) -> Location:
    """Return *loc* without the names of union branches that pydantic puts between real keys."""
    where: list[str | int] = []
    here: Any = data
    for index, part in enumerate(loc):
        if _has(here, part):
            here = here[part]
        elif index < len(loc) - 1:
            continue
        elif not isinstance(here, Mapping):
            break
        where.append(part)
    return tuple(where)


def _has(here: Any, part: str | int) -> bool:
    if isinstance(here, Mapping):
        return part in here
    return isinstance(here, list | tuple) and isinstance(part, int) and part < len(here)


def fields_at(model: type[BaseModel], where: Location) -> dict[str | int, Any]:
    """Return the fields of the nested model that *where* leads to, by name; empty if there is none."""
    here: list[Any] = [model]
    for part in where:
        here = [inner for outer in here for inner in _step(outer, part)]
    return {name: field for outer in here if _is_model(outer) for name, field in _fields(outer).items()}


def _fields(model: type[BaseModel]) -> dict[str | int, Any]:
    """Return the fields of *model* by the keys that a file has for them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _step(annotation: Any, part: str | int) -> list[Any]:
    if _is_model(annotation):
        field = _fields(annotation).get(part)
        return [] if field is None else _branches(field.annotation)
    arguments = [argument for argument in typing.get_args(annotation) if argument is not Ellipsis]
    return _branches(arguments[-1]) if arguments else []


def _branches(annotation: Any) -> list[Any]:
    """Return the alternatives of a union, without Annotated around them."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _branches(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [inner for argument in typing.get_args(annotation) for inner in _branches(argument)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
