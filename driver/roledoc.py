"""The part of a role's README that its argument_specs already say: a table of its variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

BEGIN = "<!-- variables -->"
END = "<!-- /variables -->"


def variables_block(role_dir: Path | str) -> str:
    """Return the Markdown table of the variables of the role in *role_dir*, from its meta/argument_specs.yml."""
    text = (Path(role_dir) / "meta/argument_specs.yml").read_text(encoding="utf-8")
    options: dict[str, Any] = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    lines = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, spec in options.items():
        lines += _rows(name, spec)
    return "\n".join(lines)


def with_block(text: str, block: str) -> str:
    """Return the README *text* with *block* between the markers. Raises ValueError when there are none."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README has no {BEGIN} ... {END}, expected both: the variables stand between them")
    return f"{head}{BEGIN}\n{block}\n{END}{tail}"


def _rows(name: str, spec: dict[str, Any]) -> list[str]:
    """Return the row of one option and, below it, the rows of what it is made of."""
    rows = [f"| `{name}` | {_type(spec)} | {_default(spec)} | {_meaning(spec)} |"]
    for part, inner in (spec.get("options") or {}).items():
        rows += [row.replace("| `", "| &nbsp;&nbsp;`", 1) for row in _rows(f".{part}", inner)]
    return rows


def _type(spec: dict[str, Any]) -> str:
    return f"list of {spec['elements']}" if spec["type"] == "list" and spec.get("elements") else str(spec["type"])


def _default(spec: dict[str, Any]) -> str:
    if spec.get("required"):
        return "required"
    return f"`{json.dumps(spec['default'], ensure_ascii=False)}`" if "default" in spec else "none"


def _meaning(spec: dict[str, Any]) -> str:
    text = " ".join(str(spec["description"]).split()).replace("|", "\\|")
    choices = spec.get("choices")
    return f"{text} One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else text
