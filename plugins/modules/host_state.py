#!/usr/bin/python
"""Ansible module: observe this host and say how it differs from what the inventory wants. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_state
short_description: Observe a host and report how it differs from what is wanted
description:
  - Reads what every role of this project cares about, in one go, and compares it with the roles' variables.
  - Never changes the host; check mode is the same.
options:
  wanted:
    description: The variables of the host's roles by role, without their prefix, as in C(wanted/) of the inventory.
    type: dict
    required: true
  deep:
    description: Also hash the models that have a manifest, and ask the devices for their boot status.
    type: bool
    default: false
author: provision
"""

EXAMPLES = r"""
- name: Observe the host
  host_state:
    wanted: "{{ lookup('ansible.builtin.file', inventory_dir ~ '/wanted/node1.json') | from_json }}"
"""

RETURN = r"""
ansible_facts:
  description: The document of this host as the fact C(host_state).
  returned: always
  type: dict
  contains:
    host_state:
      description: schema, host, observed_at, elapsed_ms, boot, facts, drift by role, not_understood.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402 - Ansible reads the documentation above first
from ansible.module_utils.state.program import observe_and_compare  # noqa: E402


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"wanted": {"type": "dict", "required": True}, "deep": {"type": "bool", "default": False}},
        supports_check_mode=True,
    )
    document = observe_and_compare(module.params["wanted"], module.params["deep"])
    module.exit_json(changed=False, ansible_facts={"host_state": document})


if __name__ == "__main__":
    main()
