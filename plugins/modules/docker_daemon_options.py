#!/usr/bin/python
"""Merge our keys into Docker's daemon.json and say whether the engine has to be restarted for it.

Arguments: path (/etc/docker/daemon.json), options (our keys), remove (keys that go when they hold exactly this value).
Other keys stay. The old file is kept beside the new one. A broken file is repaired from the copy that this module
wrote last; without such a copy it is refused.
Returns: changed (the file, or an engine that does not run with our keys yet), restart (whether the engine has to be
restarted for it), written, backup, repaired, not_in_effect; diff has the file before and after.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.daemon_json import (
    given_twice,
    merged,
    not_in_effect,
    read,
    render,
    restart_needed,
    unsafe,
    write,
)
from ansible.module_utils.converge.docker_api import SOCKET, DockerApi
from ansible.module_utils.converge.errors import RefusedError

LAST_WRITTEN = "/var/lib/provision/daemon.json"
# Made before the file is written, removed by the restart: a run that is killed between the two is made up for.
RESTART_MARK = "/run/provision/docker-restart-needed"


def validate(module: AnsibleModule, text: str) -> None:
    """Let dockerd look at *text*, where its version can, and look for keys that its unit sets too."""
    fault = ""
    rc, out, _ = module.run_command(["systemctl", "show", "docker.service", "--property=ExecStart", "--value"])
    twice: List[str] = given_twice(json.loads(text), out) if rc == 0 else []
    if twice:
        fault = f"{', '.join(twice)} also stand on dockerd's command line (systemctl cat docker): remove them there"
    dockerd = shutil.which("dockerd", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if dockerd and not fault:
        with tempfile.NamedTemporaryFile("w", suffix=".json", dir=module.tmpdir, encoding="utf-8") as draft:
            draft.write(text)
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
    path, options = module.params["path"], module.params["options"]
    fault: str = unsafe(path)
    if fault:
        raise RefusedError(fault)
    present, repaired = read(path, LAST_WRITTEN)
    wanted = merged(present, options, module.params["remove"])
    # an empty set of options does not call for a file
    write_it = repaired or wanted != present or (bool(wanted) and not os.path.exists(path))
    info = engine_info()
    needed = restart_needed(present, wanted, options, info) if wanted else False
    result = {
        "written": write_it,
        "repaired": repaired,
        "backup": "",
        "not_in_effect": not_in_effect(options, info),
        "restart": needed or os.path.exists(RESTART_MARK),
    }
    result["changed"] = write_it or result["restart"]
    result["diff"] = {"before": render(present), "after": render(wanted), "before_header": path, "after_header": path}
    if module.check_mode:
        return result
    if write_it:
        validate(module, render(wanted))
        if needed:
            mark()
        result["backup"] = write(path, render(wanted), LAST_WRITTEN)
    elif present:
        remember(render(present))
    return result


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
            "options": {"type": "dict", "required": True},
            "remove": {"type": "dict", "default": {}},
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
