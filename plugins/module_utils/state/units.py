"""The systemd units that the site wants, all of them in one question to systemd."""

from __future__ import annotations

import os
import re
import time
import zlib

from . import commands, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

FOLDER = "/etc/systemd/system"
TIMEOUT_SECONDS = 15.0
ASKED = (
    "Id,LoadState,ActiveState,SubState,Result,UnitFileState,FragmentPath,NeedDaemonReload,NRestarts,"
    "ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic,DropInPaths"
)
_DIGEST = re.compile(r"^X-Provision-Digest=(\S+)\s*$", re.MULTILINE)
# Put there when the roles write the file, over all its other lines: filter `sealed`.
_SEAL = re.compile(r"^X-Provision-Content=(\S*)\s*$\n?", re.MULTILINE)
# Of every service of the host, from the distribution.
COMMON_DROP_INS = "service.d"
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
    """Return {exists, active, active_seconds, state, enabled, digest, stale, edited, drop_ins} of one unit.

    active is only true for a unit that runs now, not for one between two attempts; active_seconds is for how long, 0
    when it is not. stale says why what runs may not be what the file says: systemd has not read the file yet, or the
    process is older than it. edited: somebody else changed the file since it was written; drop_ins change it from
    beside.
    """
    path = properties.get("FragmentPath") or "%s/%s" % (FOLDER, name)
    content = files.text(root + path) or ""
    match = _DIGEST.search(content)
    state = properties.get("ActiveState", "unknown")
    detail = properties.get("SubState", "")
    active = state in {"active", "reloading"}
    return {
        "exists": properties.get("LoadState") == "loaded" or bool(content),
        "active": active,
        "active_seconds": round(_age(properties.get("ActiveEnterTimestampMonotonic"))) if active else 0,
        "state": "%s (%s)" % (state, detail) if detail and detail not in {"dead", state} else state,
        "result": properties.get("Result", ""),
        "restarts": int(properties.get("NRestarts") or 0),
        "enabled": properties.get("UnitFileState", "").startswith("enabled"),
        "digest": match.group(1) if match else None,
        "stale": _stale(properties, root + path),
        "edited": _edited(content),
        "drop_ins": _drop_ins(properties.get("DropInPaths", "")),
    }


def seal(content: str) -> str:
    """Return the checksum of a unit file's lines, the one with the checksum itself left out.

    It finds edits, not attackers: hashlib would take longer to load than everything else here.
    """
    return "%08x" % zlib.crc32(_SEAL.sub("", content).strip().encode("utf-8"))


def _edited(content: str) -> bool:
    """Return whether the file differs from what was written; one without a checksum was written by an older version."""
    match = _SEAL.search(content)
    return match is not None and match.group(1) != seal(content)


def _drop_ins(paths: str) -> list[str]:
    return [path for path in paths.split() if os.path.basename(os.path.dirname(path)) != COMMON_DROP_INS]


def _age(timestamp: str | None) -> float:
    """Return for how many seconds something has been as it is; *timestamp* is systemd's monotonic one, 0 is never."""
    since = int(timestamp or 0) / MICROSECONDS
    return max(0.0, time.monotonic() - since) if since else 0.0


def _stale(properties: dict[str, str], path: str) -> str:
    if properties.get("NeedDaemonReload") == "yes":
        return "systemd has not read the unit's file since it was written"
    age = _age(properties.get("ExecMainStartTimestampMonotonic"))
    try:
        written = files.modified(path)
    except OSError:
        return ""
    if age and written > time.time() - age + CLOCK_STEP_SECONDS:
        return "the process was started before the unit's file was written"
    return ""
