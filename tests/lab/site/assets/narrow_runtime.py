#!/usr/bin/python3 -IS
"""An OCI runtime for machines that may not use CAP_SYS_RESOURCE: runc, asked for everything but that.

A container with all privileges names every capability, and runc fails on the first one that the machine's bounding set
lacks ("unable to apply caps: operation not permitted"). This takes the one capability out of what runc reads: out of
config.json of the bundle on create and run, and out of the --process file on exec.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

LACKING = "CAP_SYS_RESOURCE"
PLACES = ("/usr/local/lib/native/runc", "/usr/sbin/runc", "/usr/bin/runc", "/usr/local/bin/runc")


def option(arguments: list[str], *names: str) -> str | None:
    """Return the value of the first option in *names* that is given as `--name value` or `--name=value`."""
    for position, argument in enumerate(arguments):
        for name in names:
            if argument == name:
                return arguments[position + 1]
            if argument.startswith(name + "="):
                return argument[len(name) + 1 :]
    return None


def narrow(path: Path, key: str | None) -> None:
    """Take the capability out of the process in *path* (below *key*, or the whole document when *key* is None)."""
    document = json.loads(path.read_text(encoding="utf-8"))
    process = document if key is None else document.get(key, {})
    for kind, names in (process.get("capabilities") or {}).items():
        process["capabilities"][kind] = [name for name in names or [] if name != LACKING]
    path.write_text(json.dumps(document), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Narrow what runc is about to read, then become runc."""
    if "create" in arguments or "run" in arguments:
        narrow(Path(option(arguments, "--bundle", "-b") or ".", "config.json"), "process")
    elif "exec" in arguments:
        process = option(arguments, "--process", "-p")
        if process:
            narrow(Path(process), None)
    for place in PLACES:
        if Path(place).exists():
            os.execv(place, ["runc", *arguments])  # noqa: S606 - becoming runc is the point: no shell, its own arguments
    sys.stderr.write("runc was not found in " + ", ".join(PLACES) + "; install the Debian package runc\n")
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
