#!/usr/bin/python
"""Wait until the program of a systemd unit answers, with progress, failing as soon as it can not any more.

Arguments: unit, timeout_seconds, most_restarts, and what to ask: either url (status 200), or ray_container with
ray_resource and ray_total (what `ray status` has to count).
Returns: seconds until it was ready. Changes nothing.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.progress import Progress
from ansible.module_utils.converge.unit_wait import MOST_RESTARTS, Wait, http_probe, ray_probe, wait


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "timeout_seconds": {"type": "int", "required": True},
            "most_restarts": {"type": "int", "default": MOST_RESTARTS},
            "url": {"type": "str"},
            "ray_container": {"type": "str"},
            "ray_resource": {"type": "str"},
            "ray_total": {"type": "float"},
        },
        required_one_of=[("url", "ray_container")],
        mutually_exclusive=[("url", "ray_container")],
        required_together=[("ray_container", "ray_resource", "ray_total")],
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode:
        module.exit_json(changed=False, seconds=0)
    probe = (
        http_probe(given["url"])
        if given["url"]
        else ray_probe(given["ray_container"], given["ray_resource"], given["ray_total"])
    )
    try:
        with Progress(given["unit"], f"wait for {given['unit']}") as progress:
            seconds = wait(Wait(given["unit"], given["timeout_seconds"], given["most_restarts"]), probe, progress)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, seconds=seconds)


if __name__ == "__main__":
    main()
