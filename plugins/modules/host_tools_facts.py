#!/usr/bin/python
"""Read what a driver's installer asks of a host, and what would keep its module out of the kernel. Changes nothing.

Arguments: account (its login shell is looked at), account_ids ("uid:gid" that it must have, "" any), commands (that
root's search path must have), modules_signed (whether DKMS signs with a key that the kernel knows), prepared (False in
a dry run: commands, headers and account are not judged, the role before has only said what it would do).
Returns: refusals (sentences; [] when the host will do), account_shell ("" when there is no account or it refuses
logins), missing_commands, kernel, kernel_headers, dkms {path, failed, ours}.
"""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import refusals, vendor
from ansible.module_utils.state import host, kernel_modules


def main() -> None:
    """Translate arguments."""
    module = AnsibleModule(
        argument_spec={
            "account": {"type": "str", "required": True},
            "account_ids": {"type": "str", "default": ""},
            "commands": {"type": "list", "elements": "str", "required": True},
            "modules_signed": {"type": "bool", "default": False},
            "prepared": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    kernel = os.uname().release
    following = host.next_kernel() or kernel
    found = refusals.Host(
        account=given["account"],
        account_shell=vendor.login_shell(given["account"]),
        account_ids=vendor.account_ids(given["account"]),
        wanted_ids=given["account_ids"],
        missing_commands=vendor.missing_commands(given["commands"]),
        kernel=kernel,
        kernel_headers=host.kernel_headers(),
        kernel_next="" if following == kernel else following,
        kernel_next_headers=host.kernel_headers("", following),
        enforced=kernel_modules.enforced(),
        dkms=kernel_modules.dkms(kernel),
    )
    faults = refusals.of_host(found, given["modules_signed"], given["prepared"])
    seen = ("account_shell", "missing_commands", "kernel", "kernel_headers", "dkms")
    module.exit_json(changed=False, refusals=faults, **{key: getattr(found, key) for key in seen})


if __name__ == "__main__":
    main()
