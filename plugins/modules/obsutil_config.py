#!/usr/bin/python
"""Write obsutil's private configuration without showing its keys to anybody, or put back what was there before.

Arguments: path, endpoint, access_key and secret_key (never logged, never on a command line), memory (the file that
remembers), state (present, proven: the storage took the keys, or absent).
Returns: changed.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import obsutil_config
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.state.obsutil import MEMORY


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "endpoint": {"type": "str", "default": ""},
            "access_key": {"type": "str", "default": "", "no_log": True},
            "secret_key": {"type": "str", "default": "", "no_log": True},
            "memory": {"type": "path", "default": MEMORY, "no_log": False},
            "state": {"type": "str", "choices": ["present", "proven", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    given = module.params
    wanted = {"endpoint": given["endpoint"], "ak": given["access_key"], "sk": given["secret_key"]}
    memory = obsutil_config.read_memory(given["memory"])
    try:
        if given["state"] == "absent":
            changed = bool(memory) if module.check_mode else obsutil_config.take_back(given["path"], given["memory"])
            module.exit_json(changed=changed)
        if given["state"] == "proven":
            module.exit_json(changed=not module.check_mode and obsutil_config.prove(given["memory"]))
        changed = not obsutil_config.is_right(given["path"], memory, wanted)
        if changed and not module.check_mode:
            obsutil_config.write(given["path"], given["memory"], wanted)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
