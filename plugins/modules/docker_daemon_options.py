#!/usr/bin/python
"""Merge a role's keys into Docker's daemon.json and say whether the engine has to be restarted for it.

Arguments: path (/etc/docker/daemon.json), owner (the role: what it sets is remembered, with what was there before),
options (its keys), as_before (keys with the value that a vendor's installer gives them, and that shall be as they were
before it; on removal: that its uninstaller may have taken out), parents (folders that such an installer looks at: it
refuses links, and those that not only root can write), state (present; noted: only remember what is there, before such
an installer runs; absent: everything of the owner goes back to what it was), remove (keys that go when they hold
exactly this value).
Keys of the owner that are not among its options any more go back as well; everybody else's stay. The old file is kept
beside the new one. A broken file is repaired from the copy that this module wrote last; without one it is refused.
Returns: changed (the file, or an engine that does not run with our keys yet), restart (whether the engine has to be
restarted for it), written, backup, repaired, not_in_effect; diff has the file before and after.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.daemon_json import (
    in_order,
    merged,
    not_in_effect,
    read,
    render,
    restart_needed,
    still_in_effect,
    take_away,
    unsafe,
    write,
)
from ansible.module_utils.converge.daemon_memory import Memory
from ansible.module_utils.converge.docker_api import SOCKET, DockerApi
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.vendor import unfit_parents
from ansible.module_utils.state import docker_start

LAST_WRITTEN = "/var/lib/provision/daemon.json"
# Made before the file is written, removed by the restart: a run that is killed between the two is made up for.
RESTART_MARK = "/run/provision/docker-restart-needed"


def validate(module: AnsibleModule, wanted: Dict[str, Any]) -> None:
    """Let dockerd look at *wanted*, where its version can, and look for keys that its command line sets too."""
    try:
        twice = docker_start.given_twice(list(wanted), docker_start.observe())
    except ValueError:
        twice = []  # no systemd answers: then there is no unit to contradict either
    words = [f"{entry['key']} ({entry['option']} in {entry['file'] or 'the unit'})" for entry in twice]
    fault = f"dockerd does not start when its command line names the same key: {', '.join(words)}" if words else ""
    dockerd = shutil.which("dockerd", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if dockerd and not fault:
        with tempfile.NamedTemporaryFile("w", suffix=".json", dir=module.tmpdir, encoding="utf-8") as draft:
            draft.write(render(wanted))
            draft.flush()
            rc, out, err = module.run_command([dockerd, "--validate", "--config-file", draft.name])
        if rc != 0 and "unknown flag" not in err:
            fault = f"dockerd --validate says: {(err or out).strip()}"
    if fault:
        raise RefusedError(f"the merged daemon.json would not work, so it was not written: {fault}")


def engine_info() -> Dict[str, Any]:
    """Return what the running engine says about itself; {} when none runs."""
    if not os.path.exists(SOCKET):
        return {}
    try:
        found: Dict[str, Any] = DockerApi(timeout=20).get("/info") or {}
    except RefusedError:
        return {}
    return found


def converge(module: AnsibleModule) -> Dict[str, Any]:
    """Bring the file to what is wanted; return the module's result. Raises RefusedError."""
    given, memory = module.params, Memory()
    path, options, owner = given["path"], given["options"], given["owner"]
    refuse_unsafe(path, given["parents"])
    present, repaired = read(path, LAST_WRITTEN)
    if owner:
        memory.meet(path)
    # what the vendor's uninstaller has just taken out was not taken out by the operator: it goes back like the rest
    taken = given["as_before"] if given["state"] == "absent" and owner in memory.owners else {}
    before = memory.without(owner, {**taken, **present})
    memory.note(owner, before, {**options, **given["as_before"]} if owner and given["state"] != "absent" else {})
    if given["state"] == "noted":
        if not module.check_mode:
            memory.save()
        return {"changed": False}
    wanted = in_order(merged(before, options, given["remove"]), present)
    write_it = (
        repaired or wanted != present or (bool(wanted) and not os.path.exists(path)) or mode_differs(path, memory)
    )
    info = engine_info()
    needed = bool(wanted or present) and restart_needed(present, wanted, options, info)
    needed = needed or still_in_effect(given["remove"], wanted, info)
    result = {
        "written": write_it,
        "repaired": repaired,
        "backup": "",
        "not_in_effect": not_in_effect(options, info),
        "restart": needed or os.path.exists(RESTART_MARK),
    }
    result["changed"] = write_it or result["restart"]
    result["diff"] = {"before": render(present), "after": render(wanted), "before_header": path, "after_header": path}
    if not module.check_mode:
        result["backup"] = store(module, memory, wanted, write_it, needed)
    return result


def refuse_unsafe(path: str, parents: List[str]) -> None:
    """Raise RefusedError when *path* is none that can be written, or when an installer would refuse its *parents*."""
    fault: str = unsafe(path)
    if fault:
        raise RefusedError(fault)
    faults = list(dict.fromkeys(entry for folder in parents for entry in unfit_parents(folder)))
    if faults:
        raise RefusedError(
            f"{', '.join(faults)}; expected plain folders of root that only root writes, all the way to "
            f"{' and '.join(parents)}: the vendor's installer refuses others. Set owner and mode, then run again."
        )


def store(module: AnsibleModule, memory: Memory, wanted: Dict[str, Any], write_it: bool, needed: bool) -> str:
    """Write what is to be written, the memory first; return the backup's path ("" without one)."""
    path, backup = module.params["path"], ""
    last = module.params["state"] == "absent" and not memory.owners
    if write_it:
        validate(module, wanted)
        if needed:
            mark()
    if not last:
        memory.save()
    if last and not memory.first.get("existed") and not wanted:
        remove_file(path, memory)
    elif write_it:
        text = (memory.original(wanted) if last else "") or render(wanted)
        backup = write(path, text, LAST_WRITTEN, memory.mode())
    elif wanted:
        remember(render(wanted))
    if last:
        take_away(path, LAST_WRITTEN)
        memory.save()
    return backup


def mode_differs(path: str, memory: Memory) -> bool:
    """Return whether the file has another mode than it was found with: the vendor's installer sets its own."""
    wanted: int = memory.mode()
    return bool(wanted) and os.path.exists(path) and stat.S_IMODE(os.stat(path).st_mode) != wanted


def remove_file(path: str, memory: Memory) -> None:
    """Remove the file that was not there before us, and its folder when that was not either and is empty."""
    if os.path.exists(path):
        os.unlink(path)
    take_away(path, LAST_WRITTEN)
    folder = os.path.dirname(path)
    if memory.first.get("folder") is False and os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)


def mark() -> None:
    """Leave the mark that a restart is owed."""
    os.makedirs(os.path.dirname(RESTART_MARK), mode=0o755, exist_ok=True)
    with open(RESTART_MARK, "w", encoding="utf-8"):
        return


def remember(text: str) -> None:
    """Keep a copy of a file that is right as it is, so that it can be repaired later."""
    os.makedirs(os.path.dirname(LAST_WRITTEN), mode=0o700, exist_ok=True)
    with open(LAST_WRITTEN, "w", encoding="utf-8") as target:
        target.write(text)
    os.chmod(LAST_WRITTEN, 0o600)


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "owner": {"type": "str", "default": ""},
            "options": {"type": "dict", "default": {}},
            "as_before": {"type": "dict", "default": {}},
            "remove": {"type": "dict", "default": {}},
            "parents": {"type": "list", "elements": "path", "default": []},
            "state": {"type": "str", "choices": ["present", "noted", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        result = converge(module)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
