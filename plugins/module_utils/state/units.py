"""The systemd units that the site wants, all of them in one question to systemd."""

from __future__ import annotations

import re
import time

from . import commands, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

FOLDER = "/etc/systemd/system"
TIMEOUT_SECONDS = 15.0
ASKED = (
    "Id,LoadState,ActiveState,SubState,Result,UnitFileState,FragmentPath,NeedDaemonReload,NRestarts,"
    "ExecMainStartTimestampMonotonic"
)
_DIGEST = re.compile(r"^X-Provision-Digest=(\S+)\s*$", re.MULTILINE)
MICROSECONDS = 1e6
CLOCK_STEP_SECONDS = 1.0


def observe(names: list[str]) -> dict[str, Facts]:
    """Return the state of every unit by name; raises ValueError when systemd does not answer."""
    if not names:
        return {}
    code, output = commands.run(["systemctl", "show", "--no-pager", "--property=" + ASKED, *names], TIMEOUT_SECONDS)
    found = parse(output)
    if code and not found:
        raise ValueError("systemctl show ended with code %d: %s" % (code, output.strip()[:200]))
    return {name: describe(found.get(name, {}), name) for name in names}


def parse(output: str) -> dict[str, dict[str, str]]:
    """Return the properties of every unit in the output of `systemctl show`: units are blocks between empty lines."""
    blocks = [files.pairs(block) for block in output.split("\n\n")]
    return {block["Id"]: block for block in blocks if "Id" in block}


def describe(properties: dict[str, str], name: str, root: str = "") -> Facts:
    """Return {exists, active, state, enabled, digest, stale} of one unit.

    active is only true for a unit that runs now, not for one between two attempts. stale says why what runs may
    not be what the file says: systemd has not read the file yet, or the process is older than it.
    """
    path = properties.get("FragmentPath") or "%s/%s" % (FOLDER, name)
    content = files.text(root + path) or ""
    match = _DIGEST.search(content)
    state = properties.get("ActiveState", "unknown")
    detail = properties.get("SubState", "")
    return {
        "exists": properties.get("LoadState") == "loaded" or bool(content),
        "active": state in {"active", "reloading"},
        "state": "%s (%s)" % (state, detail) if detail and detail not in {"dead", state} else state,
        "result": properties.get("Result", ""),
        "restarts": int(properties.get("NRestarts") or 0),
        "enabled": properties.get("UnitFileState", "").startswith("enabled"),
        "digest": match.group(1) if match else None,
        "stale": _stale(properties, root + path),
    }


def _stale(properties: dict[str, str], path: str) -> str:
    if properties.get("NeedDaemonReload") == "yes":
        return "systemd has not read the unit's file since it was written"
    started = int(properties.get("ExecMainStartTimestampMonotonic") or 0) / MICROSECONDS
    try:
        age = time.monotonic() - started
        written = files.modified(path)
    except OSError:
        return ""
    if started and written > time.time() - age + CLOCK_STEP_SECONDS:
        return "the process was started before the unit's file was written"
    return ""
