#!/usr/bin/python
"""Fetch one file by URL and sha256.

Arguments: url, dest (path of the file), sha256 ("" for a delivery that carries its signature: signed_package judges it,
and deletes what does not hold), size (bytes, 0 unknown), what (words for the progress file), mode (0600).
A file that is right stays; another one is replaced; an unfinished one (`dest`.part) is continued.
Returns: changed, bytes (moved over the network), path.
"""

from __future__ import annotations

import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.download import fetch, sha256_of
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.progress import Progress
from ansible.module_utils.urls import open_url

SILENCE_SECONDS = 60


def opener(url: str, headers: Dict[str, str]) -> Any:
    """Open *url* with Ansible's own client, which honours the host's proxy settings."""
    return open_url(url, headers=headers, timeout=SILENCE_SECONDS, http_agent="provision")


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
            "size": {"type": "int", "default": 0},
            "what": {"type": "str", "default": ""},
            "mode": {"type": "str", "default": "0600"},
        },
        supports_check_mode=True,
    )
    given = module.params
    dest = given["dest"]
    name = os.path.basename(dest)
    with Progress(name, f"verify {name}", given["size"]) as progress:
        if os.path.isfile(dest) and (not given["sha256"] or sha256_of(dest, progress) == given["sha256"]):
            module.exit_json(changed=False, path=dest, bytes=0)
        if module.check_mode:
            module.exit_json(changed=True, path=dest, bytes=given["size"])
        os.makedirs(os.path.dirname(dest), mode=0o700, exist_ok=True)
        progress.update(0, given["what"] or f"download {name}", force=True)
        try:
            moved = fetch(given["url"], dest, given["sha256"], opener, progress)
            os.chmod(dest, int(given["mode"], 8))
        except RefusedError as error:
            module.fail_json(msg=str(error), path=dest)
    module.exit_json(changed=True, path=dest, bytes=moved)


if __name__ == "__main__":
    main()
