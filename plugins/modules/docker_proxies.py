#!/usr/bin/python
"""Write the proxies of dockerd beside its unit, or take them away, and leave the mark that a restart is owed.

Arguments: http, https, no_proxy (list); without http and https the file goes. restart_owed: the engine runs with other
proxies although the file is right.
Returns: changed.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import docker_proxies
from ansible.module_utils.state.compare_docker_proxy import variables


def main() -> None:
    """Translate arguments."""
    module = AnsibleModule(
        argument_spec={
            "http": {"type": "str", "default": ""},
            "https": {"type": "str", "default": ""},
            "no_proxy": {"type": "list", "elements": "str", "default": []},
            "restart_owed": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    wanted = variables(module.params)
    changed = docker_proxies.differs(wanted) or module.params["restart_owed"]
    if changed and not module.check_mode:
        docker_proxies.write(wanted)
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
