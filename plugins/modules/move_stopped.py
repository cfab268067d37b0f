#!/usr/bin/python
"""Ansible module: end the agent of moves on this host and remove its configuration, status and log."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: move_stopped
short_description: End the agent of moves
description:
  - Ends what C(move_files) started and removes its folder, which holds the secret. Files that were moved stay.
options:
  state_dir:
    description: Where the agent has its configuration, status and log.
    type: str
    default: /run/provision/move
author: provision
"""

EXAMPLES = r"""
- name: End the agent of moves
  move_stopped:
"""

RETURN = r"""
sent_bytes:
  description: What this host sent to others.
  returned: always
  type: int
"""

import os  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402 - Ansible reads the documentation above first
from ansible.module_utils.move import control  # noqa: E402


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={"state_dir": {"type": "str", "default": control.FOLDER}}, supports_check_mode=True
    )
    folder = module.params["state_dir"]
    sent = int(control.status(folder).get("sent") or 0)
    changed = os.path.isdir(folder) if module.check_mode else control.stop(folder)
    module.exit_json(changed=changed, sent_bytes=sent)


if __name__ == "__main__":
    main()
