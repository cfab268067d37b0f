#!/usr/bin/python
"""Read what stands in the way of a vendor package, and what has to be done to get the wanted version. Changes nothing.

Arguments: kind (driver, firmware or docker_runtime), version (wanted), install_path, installer_pattern and wait_seconds
(an installer that already runs is waited for).
Returns: action (none, install, upgrade, downgrade, reinstall), installed {version, complete, residue, uninstaller,
version_file}, free_bytes, unfit_parents, all_in_one (an older kind of package is there), installers.
"""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import vendor
from ansible.module_utils.converge.processes import running
from ansible.module_utils.converge.progress import Progress

POLL_SECONDS = 2.0


def wait_for_installers(pattern: str, seconds: float) -> List[Dict[str, Any]]:
    """Return the installers that still run after *seconds*: an earlier run that was killed leaves one working."""
    found: List[Dict[str, Any]] = running(pattern)
    limit = time.monotonic() + seconds
    with Progress("installer", "wait for an installer that already runs") as progress:
        while found and time.monotonic() < limit:
            progress.update(0, f"wait for pid {found[0]['pid']}: {found[0]['command'][:80]}")
            time.sleep(POLL_SECONDS)
            found = running(pattern)
    return found


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "kind": {"type": "str", "choices": sorted(vendor.KINDS), "required": True},
            "version": {"type": "str", "required": True},
            "install_path": {"type": "path", "required": True},
            "installer_pattern": {"type": "str", "required": True},
            "wait_seconds": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    given = module.params
    installers = wait_for_installers(given["installer_pattern"], given["wait_seconds"])
    installed = vendor.installed(given["kind"], given["install_path"])
    module.exit_json(
        changed=False,
        installers=installers,
        installed=installed,
        action=vendor.action_for(installed, given["version"]),
        free_bytes=vendor.free_bytes(given["install_path"]),
        unfit_parents=vendor.unfit_parents(given["install_path"]),
        all_in_one=os.path.exists(vendor.ALL_IN_ONE_MARK),
    )


if __name__ == "__main__":
    main()
