"""Dockerfiles of images that hosts build themselves: a template of templates/images, filled in by the site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from driver import paths
from driver.errors import SiteError

FOLDER: Final = "images"
ENDING: Final = ".Dockerfile.j2"
LABEL: Final = "provision.build"
"""The label of a built image: it says from which text, on top of which base."""


def templates() -> list[str]:
    """Return the names of the Dockerfiles that there are."""
    return sorted(file.name.removesuffix(ENDING) for file in (paths.TEMPLATES / FOLDER).glob(f"*{ENDING}"))


def rendered(template: str, base: str, arguments: Mapping[str, Any]) -> str:
    """Return the Dockerfile *template* on top of *base*; raises SiteError for an argument that it lacks or ignores."""
    from jinja2 import UndefinedError, meta

    from driver import render

    env = render.environment()
    name = f"{FOLDER}/{template}{ENDING}"
    source = (paths.TEMPLATES / name).read_text(encoding="utf-8")
    known = meta.find_undeclared_variables(env.parse(source)) - {"base"}
    unknown = sorted(set(arguments) - known)
    if unknown:
        raise SiteError(f"{', '.join(unknown)}, and {template} reads {', '.join(sorted(known)) or 'none'}")
    try:
        return env.get_template(name).render(base=base, **arguments)
    except UndefinedError as error:
        raise SiteError(str(error)) from error
