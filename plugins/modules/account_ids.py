#!/usr/bin/python
"""Refuse an account that could not be made with the site's ids, before anything is installed. Changes nothing.

Arguments: name and group (of the account), uid and gid (that the site wants).
Asks the host's name service, so accounts of a directory count, too.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.accounts import conflicts
from ansible.module_utils.converge.errors import RefusedError


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
            "uid": {"type": "int", "required": True},
            "gid": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        conflicts(**module.params)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
