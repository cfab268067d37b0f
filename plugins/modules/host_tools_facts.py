#!/usr/bin/python
"""Read what a driver's installer asks of a host. Changes nothing.

Arguments: account (its login shell is looked at), commands (that root's search path must have).
Returns: account_shell ("" when there is no account or it refuses logins), missing_commands, kernel_headers, kernel.
"""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import vendor


def main() -> None:
    """Translate arguments."""
    module = AnsibleModule(
        argument_spec={
            "account": {"type": "str", "required": True},
            "commands": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    kernel = os.uname().release
    module.exit_json(
        changed=False,
        account_shell=vendor.login_shell(module.params["account"]),
        missing_commands=vendor.missing_commands(module.params["commands"]),
        kernel=kernel,
        kernel_headers=os.path.isdir(f"/lib/modules/{kernel}/build"),
    )


if __name__ == "__main__":
    main()
