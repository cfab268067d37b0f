"""Repair copies of a faulty document, so that one fault does not hide another one behind it.

What a broken value was meant to be is not known. So a document is repaired twice, with other values: a fault that
both copies have, word by word, does not come from the repair.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterator
from datetime import date
from ipaddress import IPv4Address
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from driver.faults import UNKNOWN, Fault, Location, explain, fields_at
from driver.wording import ONE_OF

VARIANTS = (0, 1)
_DOCUMENTATION = IPv4Address(0xC0000200)  # RFC 5737: no host has an address of this network


def repair(data: Any, fault: Fault, model: type[BaseModel], variant: int, number: int) -> bool:
    """Make the value at the place of *fault* acceptable in *data*; return whether that was possible.

    *number* is another one for every fault, so that no two repairs are alike.
    """
    parent, last = _parent(data, fault.where)
    if parent is None or last is None:
        return False
    if fault.found.startswith(UNKNOWN):
        _rename(parent, last, fields_at(model, fault.where[:-1]))
        return True
    field = fields_at(model, fault.where[:-1]).get(last)
    present = isinstance(parent, list) or last in parent
    if present and variant == 0 and field is not None and not field.is_required():
        del parent[last]
        return True
    for value in [*_meant(parent, fault, variant), *_invented(fault, model, 2 * number + variant)]:
        try:
            parent[last] = copy.deepcopy(value)
        except IndexError:
            return False
        if _fits(data, fault.where, model):
            return True
    if isinstance(parent, dict):
        del parent[last]
    return isinstance(parent, dict)


def _rename(parent: Any, last: Any, fields: dict[str | int, Any]) -> None:
    """Give a key that is written wrong the name that is nearest, or drop it."""
    key = next((key for key in parent if str(key) == str(last)), None)
    value = parent.pop(key, None)
    close = difflib.get_close_matches(str(last), list(map(str, fields)), n=1)
    if close and close[0] not in parent:
        parent[close[0]] = value


def _meant(parent: Any, fault: Fault, variant: int) -> Iterator[Any]:
    """Yield what the value may have been meant to be: its own text, one of the known words, or what others are."""
    old = _item(parent, fault.where[-1])
    if fault.expected == "text" and isinstance(old, int | float | date):
        yield str(old)
    if isinstance(old, str) and re.fullmatch(r"\s*\d+\s*", old):
        yield int(old)
    if isinstance(old, str) and variant == 0:
        yield re.sub(r"[^a-z0-9-]+", "", old.lower()).strip("-")
    words = fault.expected.removeprefix(ONE_OF).split(", ") if fault.expected.startswith(ONE_OF) else []
    yield from words if variant == 0 else reversed(words)
    if isinstance(parent, list) and variant == 1:
        yield from (other for other in parent if other is not old)


def _invented(fault: Fault, model: type[BaseModel], own: int) -> list[Any]:
    """Return one value of every kind, none of which another repair has: *own* is a number that no other one uses."""
    address = str(_DOCUMENTATION + own % 256)
    texts = [f"x{own}", address, f"/x/x{own}", f"http://{address}", f"x@x{own}", f"{own}g", f"{own:064x}"]
    part, entry = (_words_at(model, where) if own % 2 else {} for where in (fault.where, (*fault.where, 0)))
    return [*texts, f"sha256:{own:064x}", 20000 + own, own % 2 == 1, part, [entry], [f"x{own}"], []]


def _words_at(model: type[BaseModel], where: Location) -> dict[str | int, Any]:
    """Return the fields of the part at *where* that have a choice of words, each with the last of them."""
    kinds = {name: field.annotation for name, field in fields_at(model, where).items()}
    return {name: get_args(kind)[-1] for name, kind in kinds.items() if get_origin(kind) is Literal}


def _fits(data: Any, where: Location, model: type[BaseModel]) -> bool:
    """Return whether nothing is wrong with the value at *where* itself; what is inside it is not looked at."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        return all(fault.where != where for fault in explain(error, "", model, data))
    return True


def repair_text(data: Any, where: Location, variant: int) -> None:
    """Replace the text at *where*, which Ansible would evaluate, by a plain one."""
    parent, last = _parent(data, where)
    if parent is not None and last is not None and isinstance(_item(parent, last), str):
        plain = re.sub(r"[^a-z0-9-]+", "", parent[last].lower()).strip("-") or "x"
        parent[last] = f"x{plain}" if variant else plain


def _parent(data: Any, where: Location) -> tuple[Any, Any]:
    """Return the container that *where* points into, and the last step; (None, None) if the way ends before."""
    here = data
    for part in where[:-1]:
        here = _item(here, part)
    return (here, where[-1]) if where and isinstance(here, dict | list) else (None, None)


def _item(here: Any, part: Any) -> Any:
    try:
        return here[part]
    except (KeyError, IndexError, TypeError):
        return None
