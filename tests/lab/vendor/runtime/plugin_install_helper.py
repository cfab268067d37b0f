#!/usr/bin/env python3
"""ascend-docker-plugin-install-helper: put the runtime into the engine's configuration, or take it out.

add TARGET DRAFT RUNTIME RESERVE SCENE   (RESERVE yes keeps the engine's default runtime)
rm TARGET DRAFT SCENE
TARGET is read, DRAFT is written; the caller moves it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CRI = {"1": "cri", "2": "io.containerd.grpc.v1.cri", "3": "io.containerd.cri.v1.runtime"}


class ConfigError(Exception):
    """The engine's configuration cannot be read."""


def read_json(target: Path) -> dict[str, Any]:
    if not target.exists() or not target.read_text(encoding="utf-8").strip():
        return {}
    try:
        content = json.loads(target.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"load daemon.json failed: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError("load daemon.json failed: not an object")
    return content


def as_json(content: dict[str, Any]) -> str:
    """Marshal as the vendor's Go program does: sorted, eight spaces, no last line break, HTML characters escaped."""
    text = json.dumps(content, indent=8, sort_keys=True, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def add_json(content: dict[str, Any], runtime: str, reserve: bool) -> None:
    content.setdefault("runtimes", {})["ascend"] = {"path": runtime, "runtimeArgs": []}
    if not reserve:
        content["default-runtime"] = "ascend"


def remove_json(content: dict[str, Any]) -> None:
    content.get("runtimes", {}).pop("ascend", None)
    if content.get("default-runtime") == "ascend":
        del content["default-runtime"]


def section(text: str) -> str:
    """Return the table of containerd's runtimes; its name depends on the version of the configuration."""
    found = re.search(r"^version\s*=\s*(\d+)", text, re.MULTILINE)
    name = CRI.get(found[1] if found else "1")
    if name is None:
        raise ConfigError("load config.toml failed: unknown version")
    return f'plugins."{name}".containerd.runtimes.ascend' if name != "cri" else "plugins.cri.containerd.runtimes.ascend"


def add_toml(text: str, runtime: str) -> str:
    text = remove_toml(text)
    text = re.sub(r'(default_runtime_name\s*=\s*)"[^"]*"', r'\1"ascend"', text)
    table = section(text)
    lines = [f"[{table}]", 'runtime_type = "io.containerd.runc.v2"', f"[{table}.options]", f'BinaryName = "{runtime}"']
    return text.rstrip("\n") + "\n" + "\n".join(lines) + "\n"


def remove_toml(text: str) -> str:
    table = re.escape(section(text))
    text = re.sub(rf"^\[{table}(\.options)?\]\n([^\[]*\n?)?", "", text, flags=re.MULTILINE)
    return re.sub(r'(default_runtime_name\s*=\s*)"ascend"', r'\1"runc"', text)


def edit(arguments: list[str]) -> str:
    """Return the new content of TARGET."""
    action, target = arguments[0], Path(arguments[1])
    if arguments[-1] == "containerd":
        text = target.read_text(encoding="utf-8")
        return add_toml(text, arguments[3]) if action == "add" else remove_toml(text)
    content = read_json(target)
    if action == "add":
        add_json(content, arguments[3], arguments[4] == "yes")
    else:
        remove_json(content)
    return as_json(content)


def main(arguments: list[str]) -> int:
    if (arguments[:1], len(arguments)) not in ((["add"], 6), (["rm"], 4)):
        sys.stderr.write(__doc__ or "")
        return 1
    try:
        Path(arguments[2]).write_text(edit(arguments), encoding="utf-8")
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
