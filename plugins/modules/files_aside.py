#!/usr/bin/python
"""Put other people's files aside by a longer name, or give them their names back.

Arguments: folders, suffixes (of the files; those whose name begins with provision- are ours and stay), state (aside,
back). A file that has come again under its old name is newer than the one put aside, and stays.
Returns: changed, files (their paths before).
"""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule

ASIDE = ".provision-disabled"
OURS = "provision-"


def moves(folders: list[str], suffixes: list[str], state: str) -> list[tuple[str, str]]:
    """Return (path, new path) of what has to be renamed."""
    ending = ASIDE if state == "back" else ""
    found = []
    for folder in folders:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            path = os.path.join(folder, name)
            matches = name.endswith(tuple(suffix + ending for suffix in suffixes)) and not name.startswith(OURS)
            if matches and os.path.isfile(path):
                found.append((path, path[: -len(ASIDE)] if ending else path + ASIDE))
    return [(old, new) for old, new in found if state == "aside" or not os.path.exists(new)]


def main() -> None:
    """Translate arguments."""
    module = AnsibleModule(
        argument_spec={
            "folders": {"type": "list", "elements": "path", "required": True},
            "suffixes": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["aside", "back"], "required": True},
        },
        supports_check_mode=True,
    )
    todo = moves(**module.params)
    for old, new in [] if module.check_mode else todo:
        os.rename(old, new)
    module.exit_json(changed=bool(todo), files=[old for old, _ in todo])


if __name__ == "__main__":
    main()
