"""Which boot of the host this is, and whether somebody asked for the next one."""

from __future__ import annotations

import json
import os
import time

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

MARKER = "/var/lib/provision/reboot-required"
START_FIELD = 19  # starttime in /proc/<pid>/stat, counted behind the name, which may contain blanks


def identity(root: str = "") -> Facts:
    """Return {id, booted_at, booted}: id is "<boot id>:<start of process 1>", booted seconds since the epoch.

    Process 1 is part of it because a host that is a container keeps the boot id of the machine below it.
    """
    start = files.line(root + "/proc/1/stat").rpartition(")")[2].split()
    ticks = int(start[START_FIELD]) if len(start) > START_FIELD else 0
    base = 0
    for line in (files.text(root + "/proc/stat") or "").splitlines():
        if line.startswith("btime "):
            base = int(line.split()[1])
    booted = base + ticks / os.sysconf("SC_CLK_TCK")
    return {
        "id": "%s:%d" % (files.line(root + "/proc/sys/kernel/random/boot_id"), ticks),
        "booted_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(booted)),
        "booted": booted,
    }


def marker(boot_id: str, root: str = "") -> str:
    """Return why a role asked for a reboot in this boot, "" when none did or the host has booted since."""
    content = files.text(root + MARKER)
    if content is None:
        return ""
    try:
        found = json.loads(content)
    except ValueError:
        # a file that is half written was being written in this boot, or before: only a reboot is surely safe
        return "%s is not readable JSON" % MARKER
    if not isinstance(found, dict) or found.get("boot") != boot_id:
        return ""
    return str(found.get("reason") or "a role asked for it")
