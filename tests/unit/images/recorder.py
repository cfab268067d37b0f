#!/usr/bin/python
"""Stands for a module of the role: says what it was asked, and answers as the real one would."""

import json
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

OPEN = ["archives", "images", "registries", "state", "folder", "timeout_seconds", "sets", "upstreams", "members"]
OPEN += ["name", "port", "rate_limit_mbit", "tls_certificate"]


def main() -> None:
    spec = {key: {"type": "raw"} for key in OPEN}
    spec |= {key: {"type": "raw", "no_log": True} for key in ("secret", "passwords", "tls_key")}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    given = {key: value for key, value in module.params.items() if value is not None}
    with Path(os.environ["RECORD"]).open("a", encoding="utf-8") as record:
        record.write(json.dumps({"module": module._name, "given": given}) + "\n")
    archives = given.get("archives", []) if module._name == "container_image_archive" else []
    entry = {"path": "image.tar", "size": 5, "sha256": "aa"}
    module.exit_json(changed=True, files={one["name"]: {"set": [entry]} for one in archives})


if __name__ == "__main__":
    main()
