#!/usr/bin/python
"""Put other people's files aside by a longer name, or give them their names back.

Arguments: folders, suffixes (of the files; those whose name begins with provision- are ours and stay), state (aside,
back). A file that has come again under its old name is newer than the one put aside: it stays when the older would come
back, and is put aside beside it, with a number. The oldest is the one that comes back.
Returns: changed, files (their paths before).
"""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.state import aside, files

OURS = "provision-"


def moves(folders: list[str], suffixes: list[str], state: str) -> list[tuple[str, str]]:
    """Return (path, new path) of what has to be renamed."""
    endings = tuple(suffixes)
    if state == "back":
        found = [(old, new) for old, new in aside.waiting(folders).items() if new.endswith(endings)]
        return [(old, new) for old, new in found if not os.path.basename(new).startswith(OURS)]
    paths = [os.path.join(folder, name) for folder in folders for name in files.names(folder)]
    chosen = [path for path in paths if path.endswith(endings) and not os.path.basename(path).startswith(OURS)]
    return [(path, aside.free_name(path)) for path in chosen if os.path.isfile(path)]


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
