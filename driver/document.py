"""Read one YAML document of ours: a mapping, with no Jinja in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from driver import paths, yamlfile
from driver.errors import SiteError
from driver.faults import Fault, Location

_JINJA = ("{{", "{%", "{#")


def read(file: Path, most: int = yamlfile.MOST_CHARACTERS) -> dict[str, Any]:
    """Return the mapping in *file*; raises SiteError with line and column when it is not one."""
    name = paths.shown(file)
    try:
        with file.open(encoding="utf-8") as stream:
            data = yamlfile.parse(stream.read(most + 1), most)
    except (OSError, UnicodeDecodeError) as error:
        raise SiteError(
            f"{name}: found a file that cannot be read ({error}); expected UTF-8 text; make it readable"
        ) from error
    except ValueError as error:
        raise SiteError(f"{name}: {yamlfile.place(error.__cause__)}found {error}") from error
    if data is None:
        raise SiteError(
            f"{name}: found an empty file; expected a YAML mapping; write the site, or start from another one"
        )
    if not isinstance(data, dict):
        found = "a list" if isinstance(data, list) else "one value"
        raise SiteError(f"{name}: found {found}; expected a YAML mapping of keys; correct it")
    return data


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
