"""What the agent is told: one JSON document, mode 0600, read again whenever it changes.

name, listen, port, secret, members (addresses), rate_limit_mbit, streams, tls {certificate, key} or null, idle_seconds,
grace_seconds (how long an upstream that was never heard may take to start), give_up_seconds (how long nobody may be
able to help), stall_seconds (of silence until it is asked why), wait_seconds (until a set ends to which nothing comes),
slow_mbit, look_seconds (how often rates are judged), sets [{name, folder, files, mode receive|hold, upstreams, whole,
asked}].
An upstream is {name, address, port?} or {name, url}; `behind: true` marks one further down the line, which is only
asked for what it already has. `whole` lists paths that need no look; `asked` differs for every request.
"""

from __future__ import annotations

import json
import socket
from typing import Any, Dict, List, Set

DEFAULTS: Dict[str, Any] = {
    "listen": "",
    "port": 7790,
    "members": [],
    "rate_limit_mbit": 0,
    "streams": 4,
    "tls": None,
    "idle_seconds": 1800,
    "grace_seconds": 30,
    "give_up_seconds": 120,
    "stall_seconds": 2,
    "wait_seconds": 86400,
    "slow_mbit": 100,
    "look_seconds": 3,
    "sets": [],
}


def read(path: str) -> Dict[str, Any]:
    """Return the configuration in *path*, what is left out filled in."""
    with open(path, encoding="utf-8") as source:
        given = json.load(source)
    return {**DEFAULTS, **given}


def addresses(members: List[str]) -> Set[str]:
    """Return the addresses that *members*, addresses or names, stand for; a name nobody knows stands for none."""
    found: Set[str] = set()
    for member in members:
        try:
            found.update(str(entry[4][0]) for entry in socket.getaddrinfo(member, None))
        except OSError:
            continue
    return found
