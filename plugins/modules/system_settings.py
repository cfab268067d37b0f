#!/usr/bin/python
"""Bring settings of the host's system to what the site wants: SELinux, forwarding, the servers of chrony.

Arguments: selinux (enforcing, permissive; empty: left alone), ip_forward (false: our file about it goes, the kernel
goes on; not given: left alone), time_servers (of chrony, [] removes ours; not given: left alone). In check mode it
only says, and refuses all the same.
Returns: changed, and which of selinux, ip_forward, time_servers.
"""

from __future__ import annotations

from functools import partial

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import session, settings
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.state.sysctl import IP_FORWARD

LIMIT_SECONDS = 60.0


def main() -> None:
    """Translate arguments and errors."""
    run = partial(session.answer, seconds=LIMIT_SECONDS)
    module = AnsibleModule(
        argument_spec={
            "selinux": {"type": "str", "choices": ["", "enforcing", "permissive"], "default": ""},
            "ip_forward": {"type": "bool"},
            "time_servers": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    given, check = module.params, module.check_mode
    done = {"selinux": False, "ip_forward": False, "time_servers": False}
    try:
        if given["selinux"]:
            done["selinux"] = settings.set_selinux(given["selinux"], check, run)
        if given["ip_forward"]:
            done["ip_forward"] = settings.set_sysctl(IP_FORWARD, "1", check)
        elif given["ip_forward"] is False:
            done["ip_forward"] = settings.forget_sysctl(check)
        if given["time_servers"] is not None:
            done["time_servers"] = settings.set_time_servers(given["time_servers"], check)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=any(done.values()), **done)


if __name__ == "__main__":
    main()
