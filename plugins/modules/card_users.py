#!/usr/bin/python
"""Stop the units that may be stopped so that the cards are free, say who still holds them; or start those units again.

Arguments: state (drained or restored), units (names of units that may be stopped; systemctl stop, never a signal).
What was stopped is written to a mark first, so a run that is killed, or a reboot, loses no unit: `restored` starts what
the mark names, whoever wrote it, and removes it.
Returns: changed, units (stopped or started now), holders (kind, name, pid, cards of each; for drained), failed_units.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.state import docker, drained, processes

STOP_SECONDS = 180
START_SECONDS = 120
RELEASE_SECONDS = 10.0
POLL_SECONDS = 0.5
RUNNING = ("active", "activating", "reloading")


def systemctl(*words: str, seconds: int = STOP_SECONDS) -> str:
    """Return what systemctl says; its code says less than the state that is read afterwards."""
    try:
        done = subprocess.run(
            ["systemctl", "--no-pager", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {seconds} s"
    return done.stdout.decode("utf-8", "replace").strip()


def runs(unit: str) -> bool:
    """Return whether *unit* runs now, or is about to."""
    return systemctl("show", "--property=ActiveState", "--value", "--", unit) in RUNNING


def holders() -> List[Dict[str, Any]]:
    """Return who holds the cards now, as host_state says it."""
    found: List[Dict[str, Any]] = docker.holders(docker.observe([])["containers"], processes.holders())
    return found


def drain(units: List[str], mark: str) -> List[str]:
    """Stop those of *units* that run; return them. What was stopped before and not started again stays in the mark."""
    active = [unit for unit in units if runs(unit)]
    if not active:
        return []
    os.makedirs(os.path.dirname(mark), mode=0o755, exist_ok=True)
    with open(mark + ".new", "w", encoding="utf-8") as target:
        json.dump(list(dict.fromkeys([*drained.waiting(mark), *active])), target)
    os.replace(mark + ".new", mark)
    for unit in active:
        systemctl("stop", "--", unit)
    limit = time.monotonic() + RELEASE_SECONDS
    while holders() and time.monotonic() < limit:
        time.sleep(POLL_SECONDS)  # a process that was told to end still has its files open for a moment
    return active


def restore(mark: str) -> Dict[str, Any]:
    """Start what the mark names; return {units, failed_units: {name: what systemd says}}."""
    units = drained.waiting(mark)
    failed = {}
    for unit in units:
        said = systemctl("start", "--", unit, seconds=START_SECONDS)
        if not runs(unit):
            failed[unit] = said or "it ended at once"
    if os.path.exists(mark):
        os.unlink(mark)
    return {"units": units, "failed_units": failed}


def main() -> None:
    """Translate arguments."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["drained", "restored"], "required": True},
            "units": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    mark = drained.MARK
    if module.params["state"] == "restored":
        if module.check_mode:
            module.exit_json(changed=bool(drained.waiting(mark)), units=drained.waiting(mark), failed_units={})
        result = restore(mark)
        if result["failed_units"]:
            said = "; ".join(f"{unit}: {text}" for unit, text in result["failed_units"].items())
            module.fail_json(
                msg=f"stopped for a driver change and not started again: {said}. Look at journalctl -u of each on the "
                "host; an error of the installer stands above",
                **result,
            )
        module.exit_json(changed=bool(result["units"]), **result)
    units = module.params["units"]
    stopped = [unit for unit in units if runs(unit)] if module.check_mode else drain(units, mark)
    module.exit_json(changed=bool(stopped), units=stopped, holders=holders(), failed_units={})


if __name__ == "__main__":
    main()
