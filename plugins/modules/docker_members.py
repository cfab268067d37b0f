#!/usr/bin/python
"""Let accounts into the group of the engine's socket, and take out those of ours that nobody wants any more.

Arguments: users (an empty list takes all of ours out). Members that were there before stay.
Returns: changed, done (what was done, as words).
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import docker_members
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.state import commands

LIMIT_SECONDS = 60.0


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={"users": {"type": "list", "elements": "str", "required": True}}, supports_check_mode=True
    )
    try:
        done = docker_members.converge(
            module.params["users"], lambda argv: commands.run(argv, LIMIT_SECONDS), module.check_mode
        )
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(done), done=done)


if __name__ == "__main__":
    main()
