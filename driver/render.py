"""Write a resolved site as an Ansible inventory, an ssh_config and what host_state wants; nothing else writes there."""

from __future__ import annotations

import difflib
import json
import os
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from driver import paths
from driver.document import texts
from driver.errors import ProvisionError, SiteError
from driver.resolved import ROLES, ResolvedHost, ResolvedSite

WANTED_SCHEMA = 1
_MARKS = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class RenderResult:
    """What rendering did, or would do: *changed* are files written or removed, *diff* is their unified diff."""

    folder: Path
    changed: tuple[Path, ...]
    diff: str


def environment(templates: Path = paths.TEMPLATES) -> Environment:
    """Return the Jinja environment of all our templates: unknown names fail, values are quoted by filters."""
    env = Environment(  # noqa: S701 - it writes YAML and ssh_config; the report escapes HTML in an environment of its own
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters["yaml"] = as_yaml
    env.filters["ssh"] = as_ssh
    env.filters["quote"] = shlex.quote
    return env


def as_yaml(value: Any) -> str:
    """Return *value* as JSON, which is YAML; raises ProvisionError for a text that Ansible would evaluate."""
    text = json.dumps(value, ensure_ascii=False, default=_plain)
    for _, part in texts(json.loads(text)):
        if any(mark in part for mark in _MARKS):
            raise ProvisionError(f"{part!r} would be evaluated by Ansible; expected a plain value; correct the catalog")
    return text


def _plain(value: Any) -> Any:
    """Return what JSON has for a model; anything else as text, which makes an undefined name raise by its name."""
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def as_ssh(value: object) -> str:
    """Return *value* as one word of an ssh_config, where % starts a token."""
    return '"' + str(value).replace("%", "%%") + '"'


def render(site: ResolvedSite, *, write: bool = True) -> RenderResult:
    """Make site.rendered hold exactly the files of *site*; with write=False only say what would change.

    Every file is replaced atomically, unchanged ones are left alone, files of an earlier site are removed. Raises
    SiteError when the folder cannot be written.
    """
    try:
        return _render(site, write)
    except OSError as error:
        place = paths.shown(Path(error.filename)) if error.filename else paths.shown(site.rendered)
        raise SiteError(
            f"{place}: cannot be written ({error.strerror}); expected a folder of yours; correct its owner or its mode"
        ) from error


def _render(site: ResolvedSite, write: bool) -> RenderResult:
    wanted = documents(site)
    present = {file.relative_to(site.rendered): file for file in site.rendered.rglob("*") if file.is_file()}
    changed: list[Path] = []
    diff: list[str] = []
    for name in sorted({*wanted, *present}):
        old, new = _text(site.rendered / name), wanted.get(name)
        if old == new:
            continue
        changed.append(site.rendered / name)
        diff += difflib.unified_diff(*_lines(old, new), f"old/{name}", f"new/{name}", lineterm="")
        if write:
            _put(site.rendered / name, new)
    if write:
        _remove_empty_folders(site.rendered)
        paths.control_dir()
    return RenderResult(site.rendered, tuple(changed), "\n".join(diff))


def documents(site: ResolvedSite) -> dict[Path, str]:
    """Return the text of every rendered file, by its path below rendered/."""
    env = environment()
    show = partial(_show, env, site)
    files = {
        Path("hosts.yml"): show("hosts.yml.j2"),
        Path("group_vars/all.yml"): show("group_vars_all.yml.j2"),
        Path("ssh_config"): show("ssh_config.j2"),
    }
    for host in site.hosts:
        variables = show("host_vars.yml.j2", host=host)
        files[Path("host_vars") / f"{host.name}.yml"] = variables
        document = json.dumps(wanted_document(host, yaml.safe_load(variables)), indent=2, ensure_ascii=False)
        files[Path("wanted") / f"{host.name}.json"] = f"{document}\n"
    return files


def _show(env: Environment, site: ResolvedSite, name: str, **names: Any) -> str:
    return env.get_template(f"inventory/{name}").render(site=site, roles=ROLES, **names)


def wanted_document(host: ResolvedHost, variables: dict[str, Any]) -> dict[str, Any]:
    """Return what host_state compares *host* with: the role variables, grouped by role, without their prefixes.

    What Ansible looks up during a run, a secret, is none of its business.
    """
    document: dict[str, Any] = {"schema": WANTED_SCHEMA, "host": host.name, "roles": list(host.roles)}
    for role in host.roles:
        prefix = f"{role}_"
        document[role] = {
            name.removeprefix(prefix): value
            for name, value in variables.items()
            if name.startswith(prefix) and not _looked_up(value)
        }
    return document


def _looked_up(value: Any) -> bool:
    """Return whether *value* is looked up, or a mapping of nothing else."""
    if isinstance(value, dict):
        return bool(value) and all(map(_looked_up, value.values()))
    return isinstance(value, str) and value.startswith(_MARKS)


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _lines(old: str | None, new: str | None) -> tuple[list[str], list[str]]:
    return (old or "").splitlines(), (new or "").splitlines()


def _put(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink()
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.new")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o644)
    draft.replace(file)


def _remove_empty_folders(folder: Path) -> None:
    for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(inner.iterdir()):
            inner.rmdir()
