"""YAML without its surprises: no key twice, every fault with line and column, nothing that grows without end."""

from __future__ import annotations

from typing import Any

import yaml

MOST_CHARACTERS = 1 << 20
MOST_OF_A_LOCK = 16 << 20  # it lists every file of every model
_MOST_VALUES = 200_000


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key that stands twice in one mapping, and a value that its own tag does not fit."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of *node*; raises ConstructorError at the second of two equal keys."""
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "a mapping was announced and is none", node.start_mark)
        seen: dict[object, yaml.Mark] = {}
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands twice (first in line {seen[key].line + 1})", key_node.start_mark
                )
            seen[key] = key_node.start_mark
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of *node*; a date such as 2025-02-30 is a fault of the file with its place, too."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, AttributeError, LookupError) as error:
            kind = str(node.tag).rpartition(":")[2]
            text = f"{str(node.value)[:40]} is read as a {kind}, and is none"
            raise yaml.constructor.ConstructorError(None, None, text, node.start_mark) from error


def parse(text: str, most: int = MOST_CHARACTERS) -> Any:
    """Return what *text* says; raises ValueError with what was found, line and column where they are known."""
    if len(text) > most:
        raise ValueError(f"more than {most} characters; expected a site file; name the right one")
    try:
        data = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - derived from SafeLoader
        if _values(data, {}) > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES} values; expected a site; write out what its aliases repeat")
    except yaml.YAMLError as error:
        raise ValueError(_invalid(error)) from error
    except RecursionError:
        raise ValueError("values that are nested without end; expected a YAML mapping; correct it") from None
    return data


def _invalid(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return f"invalid YAML ({' '.join(str(problem).split())}); expected a YAML mapping; correct it"


def place(error: BaseException | None) -> str:
    """Return line and column of a fault of YAML as they stand in front of a message, "" when they are not known."""
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _values(data: Any, known: dict[int, int]) -> int:
    """Return how many values *data* has when its aliases are written out; raises RecursionError for an endless one."""
    if not isinstance(data, dict | list):
        return 1
    if id(data) not in known:
        known[id(data)] = _MOST_VALUES + 1  # counts when it is met inside of itself
        inner = data.values() if isinstance(data, dict) else data
        known[id(data)] = 1 + sum(_values(value, known) for value in inner)
    return known[id(data)]
