"""Read site.yml and site.lock; report every fault at once by repairing what was reported and reading on."""

from __future__ import annotations

import copy
import difflib
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from driver import catalog, document, paths
from driver.faults import Fault, Location, explain, fields_at
from driver.site import Lock, Site

_ROUNDS = 6  # a repair may uncover a second fault in the same place, hardly a sixth


def read_lock(folder: Path) -> Lock:
    """Return the site.lock of *folder*, empty when there is none; raises SiteError when it is invalid."""
    file = folder / paths.LOCK_FILE
    return catalog.parse(file, Lock) if file.is_file() else Lock()


def read_site(file: Path) -> tuple[Site | None, list[Fault]]:
    """Return the site in *file* and every fault of its form.

    With faults the site is a repaired copy, good for finding further faults and for nothing else; None when it is
    beyond repair. Raises SiteError when the file is no YAML mapping at all.
    """
    name = paths.shown(file)
    data = document.read(file)
    faults = document.jinja_faults(data, name)
    repaired = copy.deepcopy(data)
    for fault in faults:
        _repair_text(repaired, fault.where)
    for _ in range(_ROUNDS):
        try:
            return Site.model_validate(repaired), faults
        except ValidationError as error:
            found = explain(error, name, Site, repaired)
            known = {fault.where for fault in faults}
            faults += [fault for fault in found if fault.where not in known]
            outcomes = [_repair(repaired, fault) for fault in found]
            if not all(outcomes):
                return None, faults
    return None, faults


def _repair(data: Any, fault: Fault) -> bool:
    """Make the value at the fault's place acceptable in *data*; return whether that was possible."""
    parent, last = _parent(data, fault.where)
    if not isinstance(parent, dict) or last is None:
        return False
    fields = fields_at(Site, fault.where[:-1])
    if last not in fields and last in parent:
        value = parent.pop(last)
        close = difflib.get_close_matches(str(last), list(map(str, fields)), n=1)
        if close and close[0] not in parent:
            parent[close[0]] = value
        return True
    if last in parent and fault.expected == "text":
        parent[last] = str(parent[last])
        return True
    if last in parent and last in fields and not fields[last].is_required():
        del parent[last]
        return True
    return False


def _repair_text(data: Any, where: Location) -> None:
    parent, last = _parent(data, where)
    if parent is not None and last is not None and isinstance(_item(parent, last), str):
        parent[last] = re.sub(r"[^a-z0-9-]+", "", parent[last].lower()).strip("-") or "x"


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
