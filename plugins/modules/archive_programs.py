#!/usr/bin/python
"""Unpack programs of a .tar.gz into a folder of the host, or remove those that this module once unpacked.

Arguments: archive (path on the host, one folder inside), names (which programs, empty: all files in it), folder (where
they go; owned by root, mode 0755), marker (the file that remembers them), version, mark (a file that is made before a
program changes: whoever runs them has to be restarted), state (present or absent).
A program that is there and is not in the marker is somebody else's: refused. On removal, changed ones stay.
Returns: changed, files (their paths), left (what stays though it was to go).
"""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import archive_programs
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.state import programs


def is_right(marker: str, version: str, folder: str, names: list[str]) -> bool:
    """Return whether everything is there as it was unpacked."""
    seen = programs.observe(marker)
    spoilt = seen["missing"] or seen["changed"]
    return seen["version"] == version and not spoilt and all(os.path.join(folder, n) in seen["files"] for n in names)


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "archive": {"type": "path", "default": ""},
            "names": {"type": "list", "elements": "str", "default": []},
            "folder": {"type": "path", "default": ""},
            "marker": {"type": "path", "required": True},
            "version": {"type": "str", "default": ""},
            "mark": {"type": "path", "default": ""},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ("archive", "folder", "version"))],
        supports_check_mode=True,
    )
    given = module.params
    marker, ours = given["marker"], sorted(archive_programs.noted(given["marker"]))
    try:
        if given["state"] == "absent":
            there = os.path.exists(marker)
            left = archive_programs.remove(marker) if there and not module.check_mode else []
            module.exit_json(changed=there, files=ours, left=left)
        if is_right(marker, given["version"], given["folder"], given["names"]):
            module.exit_json(changed=False, files=ours, left=[])
        if module.check_mode:
            module.exit_json(changed=True, files=ours, left=[])
        place = archive_programs.Place(given["folder"], marker, given["mark"])
        files = archive_programs.unpack(given["archive"], given["names"], place, given["version"])
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, files=files, left=[])


if __name__ == "__main__":
    main()
