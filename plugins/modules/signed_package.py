#!/usr/bin/python
"""Verify a signed delivery (zip with .cms and .crl) and take exactly one file out of it.

Arguments: archive (the outer zip on this host), run (name of the file inside), roots (root certificates, PEM or DER, on
this host), revocation_lists (further lists of the site), dest (folder of root's own; the file goes there).
A delivery that does not hold is deleted, so that the next run fetches it again.
Returns: changed, path, root (the certificate that vouches for it).
"""

from __future__ import annotations

import contextlib
import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import openssl
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.progress import Progress
from ansible.module_utils.converge.signed import Delivery, unpack


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "archive": {"type": "path", "required": True},
            "run": {"type": "str", "required": True},
            "roots": {"type": "list", "elements": "path", "required": True},
            "revocation_lists": {"type": "list", "elements": "path", "default": []},
            "dest": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    target = os.path.join(given["dest"], given["run"])
    if module.check_mode:
        module.exit_json(changed=not os.path.exists(target), path=target, root="")
    delivery = Delivery(given["archive"], given["run"], given["roots"], given["revocation_lists"])
    try:
        tool = openssl.find()
        with Progress(given["run"], f"verify {os.path.basename(given['archive'])}"):
            changed, root = unpack(delivery, given["dest"], tool)
    except RefusedError as error:
        # what the host has is judged, not kept: the next run asks the mirror again
        if "openssl is not installed" not in str(error):
            with contextlib.suppress(OSError):
                os.unlink(given["archive"])
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, path=target, root=root)


if __name__ == "__main__":
    main()
