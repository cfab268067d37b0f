#!/usr/bin/python
"""Hold the packages of the running kernel, or let go of those that were held here.

Arguments: manager (facts.os.package_manager; not needed to let go), state (held, free).
Returns: changed, names (of packages, or the pattern that dnf and yum leave out).
"""

from __future__ import annotations

from functools import partial

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import kernel_hold, session
from ansible.module_utils.converge.errors import RefusedError

LIMIT_SECONDS = 120.0


def main() -> None:
    """Translate arguments and errors."""
    run = partial(session.answer, seconds=LIMIT_SECONDS)
    module = AnsibleModule(
        argument_spec={
            "manager": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["held", "free"], "required": True},
        },
        supports_check_mode=True,
    )
    try:
        if module.params["state"] == "held":
            names = kernel_hold.hold(module.params["manager"], module.check_mode, run)
        else:
            names = kernel_hold.release(module.check_mode, run)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(names), names=names)


if __name__ == "__main__":
    main()
