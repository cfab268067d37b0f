#!/usr/bin/python
"""Read what stands in the way of a vendor package, and what has to be done to get the wanted version. Changes nothing.

Arguments: kind (driver, firmware or docker_runtime), version (wanted), accepted (the oldest version that may stay, ""
none), install_path, installer_pattern and wait_seconds (an installer that already runs is waited for); for the refusals
also required_bytes, downgrade_allowed, running (version) and allow_key (how allow_downgrade in site.yml names it).
Returns: action (none, install, upgrade, downgrade, reinstall), refusals (sentences; [] when nothing speaks against it),
installed {version, complete, residue, uninstaller, version_file}, free_bytes, unfit_parents, all_in_one (an older kind
of package is there), installers.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import refusals, vendor
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
            "accepted": {"type": "str", "default": ""},
            "install_path": {"type": "path", "required": True},
            "installer_pattern": {"type": "str", "required": True},
            "wait_seconds": {"type": "int", "default": 0},
            "required_bytes": {"type": "int", "default": 0},
            "downgrade_allowed": {"type": "bool", "default": False},
            "running": {"type": "str", "default": ""},
            "allow_key": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    installers = wait_for_installers(given["installer_pattern"], given["wait_seconds"])
    installed = vendor.installed(given["kind"], given["install_path"])
    action = vendor.action_for(installed, given["version"], given["accepted"])
    asks = ("version", "install_path", "required_bytes", "downgrade_allowed", "running", "allow_key")
    ask = refusals.Ask(name=given["kind"], action=action, **{key: given[key] for key in asks})
    module.exit_json(
        changed=False,
        refusals=refusals.of_package(ask, installed, installers, given["wait_seconds"]),
        installers=installers,
        installed=installed,
        action=action,
        free_bytes=vendor.free_bytes(given["install_path"]),
        unfit_parents=vendor.unfit_parents(given["install_path"]),
        all_in_one=vendor.all_in_one(),
    )


if __name__ == "__main__":
    main()
