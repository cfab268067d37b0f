#!/usr/bin/python
"""Run a vendor's installer or uninstaller: time limit, no terminal, result verified by the version it left.

Arguments: argv, stdin_text (nothing: /dev/null), timeout_seconds, success_codes, reboot_codes, reboot_pattern (in its
last lines), version_file and version (must agree afterwards; empty: not looked at), log_paths (the vendor's own logs,
their ends are quoted in an error), output_path (where what it says is kept), owned_path (gets the version: what stands
there was installed by us, and a removal may take it away; empty: nothing is written).
The caller compares first: this module always runs the command.
Returns: changed, code (Ansible takes an rc other than 0 for a failure), seconds, output (last lines), reboot_needed.
"""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.installer import Call, own, run
from ansible.module_utils.converge.progress import Progress


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "argv": {"type": "list", "elements": "str", "required": True},
            "stdin_text": {"type": "str", "default": ""},
            "timeout_seconds": {"type": "int", "required": True},
            "success_codes": {"type": "list", "elements": "int", "default": [0]},
            "reboot_codes": {"type": "list", "elements": "int", "default": []},
            "reboot_pattern": {"type": "str", "default": ""},
            "version_file": {"type": "str", "default": ""},
            "version": {"type": "str", "default": ""},
            "log_paths": {"type": "list", "elements": "str", "default": []},
            "output_path": {"type": "path", "required": True},
            "owned_path": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, code=0, seconds=0, output="", reboot_needed=bool(module.params["reboot_codes"]))
    call = Call(**{name: value for name, value in module.params.items() if name != "owned_path"})
    name = os.path.basename(call.output_path)
    try:
        with Progress(name, f"run {name.rsplit('.', 1)[0]}") as progress:
            result = run(call, progress)
    except RefusedError as error:
        module.fail_json(msg=str(error), argv=call.argv)
    if module.params["owned_path"]:
        own(module.params["owned_path"], call.version)
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
