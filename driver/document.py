"""Read one YAML document without YAML's surprises: no duplicate keys, no empty file, faults with line and column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from driver import paths
from driver.errors import SiteError
from driver.faults import Fault, Location

_JINJA = ("{{", "{%", "{#")


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of *node*; raises ConstructorError at the second of two equal keys."""
        seen: dict[object, yaml.Mark] = {}
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands twice (first in line {seen[key].line + 1})", key_node.start_mark
                )
            seen[key] = key_node.start_mark
        return super().construct_mapping(node, deep=deep)


def read(file: Path) -> dict[str, Any]:
    """Return the mapping in *file*; raises SiteError with line and column when it is not one."""
    name = paths.shown(file)
    try:
        data = yaml.load(file.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - derived from SafeLoader
    except yaml.YAMLError as error:
        raise SiteError(f"{name}: {_position(error)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SiteError(
            f"{name}: found a file that cannot be read ({error}); expected UTF-8 text; make it readable"
        ) from error
    if data is None:
        raise SiteError(
            f"{name}: found an empty file; expected a YAML mapping; write the site, or start from another one"
        )
    if not isinstance(data, dict):
        raise SiteError(f"{name}: found a {type(data).__name__}; expected a YAML mapping of keys; correct it")
    return data


def _position(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if mark is None:
        return f"found invalid YAML ({problem}); expected a YAML mapping; correct it"
    line, column = mark.line + 1, mark.column + 1
    return f"line {line}, column {column}: found invalid YAML ({problem}); expected a YAML mapping; correct it"


def jinja_faults(data: object, file: str) -> list[Fault]:
    """Return a fault for every key and value in *data* that Ansible would evaluate as a template."""
    return [
        Fault(
            file,
            where,
            f"a Jinja expression in {text!r}",
            "a plain value",
            "write the value itself; nothing in this file is a template",
        )
        for where, text in texts(data)
        if any(mark in text for mark in _JINJA)
    ]


def texts(data: object, where: Location = ()) -> Iterator[tuple[Location, str]]:
    """Yield every text in *data*, keys included, with the path to it."""
    if isinstance(data, str):
        yield where, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from texts(str(key), (*where, str(key)))
            yield from texts(value, (*where, str(key)))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from texts(value, (*where, index))
