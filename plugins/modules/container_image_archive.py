#!/usr/bin/python
"""Bring archives of images to a folder of the host and compare each with its sha256; or take those of ours away again.

Arguments: state, present (the default) or absent; archives, a list of {name, url or obs or path, sha256, size_bytes};
folder; timeout_seconds for each. An archive that is named by its path is used where it lies, and never removed.
Returns: changed, files: {name: {path, moved, set}}; set is [{path, size, sha256}] for the agent of the moves.
"""

from __future__ import annotations

import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import image_fetch
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.urls import open_url

ANSWER_SECONDS = 60


def get(url: str, headers: Dict[str, str]) -> Any:
    """Open *url* for the download."""
    return open_url(url, headers=headers, timeout=ANSWER_SECONDS, http_agent="provision")


def size_of(url: str) -> int:
    """Return the length that the server promises, 0 where it says none or takes no such question."""
    try:
        with open_url(url, method="HEAD", timeout=ANSWER_SECONDS, http_agent="provision") as answer:
            return int(answer.headers.get("Content-Length") or 0)
    except (OSError, ValueError):
        return 0


WEB = image_fetch.Web(get, size_of)


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "archives": {"type": "list", "elements": "dict", "required": True},
            "folder": {"type": "str", "default": image_fetch.FOLDER},
            "timeout_seconds": {"type": "int", "default": 14400},
        },
        supports_check_mode=True,
    )
    given = module.params
    files: Dict[str, Any] = {}
    changed = False
    try:
        for archive in given["archives"]:
            there = os.path.isdir(image_fetch.folder_of(archive, given["folder"]))
            if module.check_mode:
                changed = changed or there == (given["state"] == "absent")
            elif given["state"] == "absent":
                changed = image_fetch.remove(archive, given["folder"]) or changed
            else:
                done = image_fetch.bring(archive, given["folder"], given["timeout_seconds"], WEB)
                files[archive["name"]] = done
                changed = changed or done["moved"] > 0
    except (RefusedError, OSError) as error:
        module.fail_json(msg=str(error), files=files, changed=changed)
    module.exit_json(changed=changed, files=files)


if __name__ == "__main__":
    main()
