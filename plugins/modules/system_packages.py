#!/usr/bin/python
"""Install or remove packages through the host's own manager, by its command line.

Arguments: manager (facts.os.package_manager: apt, dnf, yum, zypper), packages (names; an entry that is a list of names
means the first one that is installed or that the sources have), state (present, latest, absent), versions (name to
version, without the distribution's part), recommends (also what they recommend), despite_hold (also what is held or
excluded), timeout_seconds, lock_wait_seconds (for another run of the manager), lists_max_age_seconds, refresh
(read the lists anew in any case), hint (for the error).
In check mode only queries are run.
Returns: changed, names (of the choices), before and versions (name to version, "" when absent), output (its end).
"""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import session
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.packages import Order, Packages
from ansible.module_utils.converge.progress import Progress


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "manager": {"type": "str", "required": True},
            "packages": {"type": "list", "elements": "raw", "required": True},
            "state": {"type": "str", "choices": ["present", "latest", "absent"], "default": "present"},
            "versions": {"type": "dict", "default": {}},
            "recommends": {"type": "bool", "default": False},
            "despite_hold": {"type": "bool", "default": False},
            "timeout_seconds": {"type": "int", "default": 1800},
            "lock_wait_seconds": {"type": "int", "default": 300},
            "lists_max_age_seconds": {"type": "int", "default": 3600},
            "refresh": {"type": "bool", "default": False},
            "hint": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = dict(module.params)
    name = given.pop("manager")
    try:
        if module.check_mode:
            result = Packages(name, Order(**given)).converge(check=True)
        else:
            with Progress("packages-%d" % os.getpid(), "install packages") as progress:

                def execute(argv, seconds, environment):  # type: ignore[no-untyped-def]
                    return session.execute(argv, seconds, environment, lambda line: progress.update(0, line[:120]))

                result = Packages(name, Order(**given), execute).converge(check=False)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
