"""Every fault shows as the drift of the roles that can mend it, and of no other; one file per case.

A case says what differs from a converged host (`set`: path -> value), which mark a role left (`marker`), and the
drift that has to come of it: all roles, every item of theirs, and the named fields of each.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.state import reboot
from plugins.module_utils.state.program import COMPARE, compare_all
from plugins.module_utils.state.workers import Notes

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases" / "drift").glob("*.json"))
FIELDS = {"what", "from", "to", "reason", "reboot", "stops", "bytes", "detail"}


def put(tree: Any, path: str, value: Any) -> None:
    """Set the value at *path*: names or numbers between dots, a name with dots only at the end."""
    parts = path.split(".")
    for number, part in enumerate(parts[:-1]):
        key = int(part) if isinstance(tree, list) else part
        rest = ".".join(parts[number:])
        if isinstance(tree, dict) and part.startswith("/") and part not in tree:
            tree[rest] = value
            return
        tree = tree[key]
    tree[int(parts[-1]) if isinstance(tree, list) else parts[-1]] = value


def drift_of(case: dict[str, Any], notes: Notes) -> dict[str, list[dict[str, Any]]]:
    host = json.loads((HERE / "converged.json").read_text(encoding="utf-8"))
    for path, value in case["set"].items():
        put(host, path, value)
    host["facts"]["reboot"] = reboot.pending(case.get("marker", ""), host["boot"]["booted"], host["facts"])
    return compare_all(host["wanted"], host["facts"], notes)


@pytest.mark.parametrize("file", CASES, ids=lambda path: path.stem)
def test_a_fault_is_the_drift_of_exactly_these_roles(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    drift = drift_of(case, Notes())
    assert list(drift) == list(case["drift"])
    for role, items in case["drift"].items():
        for found, wanted in zip(drift[role], items, strict=True):
            assert set(found) == FIELDS
            assert {key: found[key] for key in wanted} == wanted
            assert found["reason"] and found["to"]


def test_every_role_has_a_case() -> None:
    covered = {role for file in CASES for role in json.loads(file.read_text(encoding="utf-8"))["drift"]}
    assert covered == set(COMPARE)


def test_a_comparison_that_fails_is_noted_and_never_taken_for_as_wanted() -> None:
    notes = Notes()
    host = json.loads((HERE / "converged.json").read_text(encoding="utf-8"))
    host["facts"]["reboot"] = reboot.pending("", 0.0, host["facts"])
    del host["facts"]["ray"]
    drift = compare_all(host["wanted"], host["facts"], notes)
    assert list(drift) == ["ray_cluster"]
    assert drift["ray_cluster"][0]["what"] == "observation"
    assert notes.entries == [{"area": "ray_cluster", "text": "KeyError: 'ray'"}]


def test_a_role_that_the_host_does_not_have_is_not_compared() -> None:
    host = json.loads((HERE / "converged.json").read_text(encoding="utf-8"))
    assert compare_all({"host": "node1", "schema": 1, "roles": []}, host["facts"], Notes()) == {}
