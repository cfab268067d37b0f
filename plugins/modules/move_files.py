#!/usr/bin/python
"""Ansible module: get sets of files from other hosts, or hold them for others; every file is verified."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: move_files
short_description: Move sets of files from host to host
description:
  - Starts the agent of moves on this host, or tells the one that runs, and waits until the sets are whole.
  - Each file comes from the first upstream that can give it, is written as NAME.part, compared with its checksum, and
    put into its place then. What an earlier run left is continued. Files that are there and right stay.
  - An upstream that dies, refuses, stands still or is slow is passed by; one that sends a wrong file is named and not
    asked again.
  - The agent goes on serving afterwards; it ends with C(move_stopped), or by itself after O(idle_seconds).
options:
  sets:
    description:
      - List of {name, folder, files, mode, upstreams, whole}. files is a list of {path, size, sha256}, a file without
        sha256 may have git_sha1 instead.
      - mode C(receive) makes the set whole and returns then; C(hold) serves what is there, each file as soon as it has
        its size at its final path, and returns at once; C(drop) forgets the set, so that others stop waiting for it.
      - upstreams (of this set) replaces O(upstreams). whole lists paths of files that were verified before and need no
        look.
    type: list
    elements: dict
    required: true
  upstreams:
    description:
      - Whom to ask, nearest first, as {name, address, port} (a member) or {name, url} (a folder of any HTTP server
        with ranges). The host before in the line, then the one before that, at the end who has had it from the start.
      - C(behind) true marks hosts further down the line; they are asked only for what they already have.
    type: list
    elements: dict
    default: []
  members:
    description: Addresses that the agent answers; everybody else is refused.
    type: list
    elements: str
    required: true
  secret:
    description: What members show each other, the same on all hosts of a run.
    type: str
    required: true
  name:
    description: What this host calls itself in the status.
    type: str
    default: ""
  port:
    description: The port of the agent, the same on all hosts.
    type: int
    default: 7790
  listen:
    description: The address to listen on; all when empty.
    type: str
    default: ""
  rate_limit_mbit:
    description: What this host may send, in megabits a second; 0 is no limit.
    type: int
    default: 0
  streams:
    description: How many files are received at the same time.
    type: int
    default: 4
  tls_certificate:
    description: PEM text of the one certificate of the run; encrypts between members.
    type: str
    default: ""
  tls_key:
    description: PEM text of its key.
    type: str
    default: ""
  slow_mbit:
    description: An upstream that brings less is passed by on trial while others have more.
    type: int
    default: 100
  grace_seconds:
    description: How long an upstream that was never heard may take to start.
    type: int
    default: 30
  give_up_seconds:
    description: How long nobody may be able to help before the task fails.
    type: int
    default: 120
  idle_seconds:
    description: After how long without work the agent ends by itself.
    type: int
    default: 1800
  timeout_seconds:
    description: How long the sets may take.
    type: int
    default: 86400
  state_dir:
    description: Where the agent has its configuration, status and log.
    type: str
    default: /run/provision/move
author: provision
"""

EXAMPLES = r"""
- name: Receive the model from the hosts before
  move_files:
    sets: [{name: m, folder: /data/models/m, mode: receive, files: [{path: a.safetensors, size: 4, sha256: "…"}]}]
    upstreams: [{name: node1, address: 192.0.2.1}, {name: node0, address: 192.0.2.0}]
    members: [192.0.2.0, 192.0.2.1, 192.0.2.2]
    secret: "{{ secret }}"
"""

RETURN = r"""
moved:
  description: "One entry a set: name, bytes (received), seconds, from (bytes by sender), restarts, notes (what went
    wrong on the way and was healed), state."
  returned: always
  type: list
  elements: dict
"""

from typing import Any, Dict, List  # noqa: E402 - Ansible reads the documentation above first

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.converge.progress import Progress  # noqa: E402
from ansible.module_utils.move import control  # noqa: E402
from ansible.module_utils.move.errors import MoveError  # noqa: E402
from ansible.module_utils.move.files import files_of, size_of  # noqa: E402

SPEC: Dict[str, Any] = {
    "sets": {"type": "list", "elements": "dict", "required": True},
    "upstreams": {"type": "list", "elements": "dict", "default": []},
    "members": {"type": "list", "elements": "str", "required": True},
    "secret": {"type": "str", "required": True, "no_log": True},
    "name": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 7790},
    "listen": {"type": "str", "default": ""},
    "rate_limit_mbit": {"type": "int", "default": 0},
    "streams": {"type": "int", "default": 4},
    "tls_certificate": {"type": "str", "default": ""},
    "tls_key": {"type": "str", "default": "", "no_log": True},
    "slow_mbit": {"type": "int", "default": 100},
    "grace_seconds": {"type": "int", "default": 30},
    "give_up_seconds": {"type": "int", "default": 120},
    "idle_seconds": {"type": "int", "default": 1800},
    "timeout_seconds": {"type": "int", "default": 86400},
    "state_dir": {"type": "str", "default": control.FOLDER},
}
NOT_FOR_THE_AGENT = ("sets", "upstreams", "tls_certificate", "tls_key", "timeout_seconds", "state_dir")


def request(given: Dict[str, Any]) -> Dict[str, Any]:
    """Return the agent's configuration for the arguments *given*. Raises MoveError for a set that cannot be moved."""
    sets = []
    for each in given["sets"]:
        lacking = [key for key in ("name", "folder", "files") if each.get(key) in (None, "")]
        if lacking or each.get("mode", "receive") not in {"receive", "hold", "drop"}:
            raise MoveError(
                f"set {each.get('name')!r}: lacks {', '.join(lacking) or 'a mode of receive, hold or drop'}; expected "
                "{name, folder, files, mode} from the role's variables"
            )
        made = {"mode": "receive", "upstreams": given["upstreams"], **each}
        files_of(made)
        sets.append(made)
    wanted = {key: value for key, value in given.items() if key not in NOT_FOR_THE_AGENT}
    tls = {"certificate": given["tls_certificate"], "key": given["tls_key"]} if given["tls_certificate"] else None
    return {**wanted, "tls": tls, "sets": sets}


def words(report: Dict[str, Any]) -> str:
    """Return what a person wants to know while it runs."""
    rate, rest = report["rate"], report["total"] - report["have"]
    sender = f" from {report['current']}" if report["current"] else ""
    if report["checking"]:
        return f"verify what is there of {report['name']}: {report['checking']}"
    if not rate:
        return f"receive {report['name']}{sender}: waiting"
    return f"receive {report['name']}{sender}: {rate * 8 / 1e6:.0f} Mbit/s, {rest / rate:.0f} s left"


def missing_bytes(wanted: Dict[str, Any]) -> int:
    """Return how many bytes the sets lack, by their sizes."""
    received = [each for each in wanted["sets"] if each["mode"] == "receive"]
    return sum(file.size for each in received for file in files_of(each) if size_of(file.final) != file.size)


def receive(wanted: Dict[str, Any], folder: str, seconds: float) -> List[Dict[str, Any]]:
    """Have the agent do it and follow; return the reports. Raises MoveError."""
    received = [each for each in wanted["sets"] if each["mode"] == "receive"]
    total = sum(file["size"] for each in received for file in each["files"])
    name = "move-" + (received[0]["name"] if received else "hold")
    mark = control.ask(wanted, folder)
    with Progress(name, "receive", total) as progress:

        def heard(reports: List[Dict[str, Any]]) -> None:
            running = [each for each in reports if each["state"] == "receiving"]
            progress.update(sum(each["have"] for each in reports), words(running[0]) if running else "")

        found: List[Dict[str, Any]] = control.follow(mark, seconds, heard, folder)
    return found


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given = module.params
    try:
        wanted = request(given)
        if module.check_mode:
            module.exit_json(changed=missing_bytes(wanted) > 0, moved=[])
        reports = receive(wanted, given["state_dir"], given["timeout_seconds"])
    except MoveError as error:
        module.fail_json(msg=str(error), moved=[])
    moved = [
        {
            "name": each["name"],
            "state": each["state"],
            "bytes": sum(each["from"].values()),
            "seconds": each["seconds"],
            "from": each["from"],
            "restarts": each["restarts"],
            "notes": each["notes"],
        }
        for each in reports
    ]
    module.exit_json(changed=any(each["bytes"] for each in moved), moved=moved)


if __name__ == "__main__":
    main()
