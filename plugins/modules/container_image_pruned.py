#!/usr/bin/python
"""Remove images of the site that nobody needs any more: the ones named, and of those only what is still unneeded.

Arguments: ids, the images that were shown to the operator; wanted, {names, digests, repositories} of the site.
The host is asked again: an image that a container has got in the meantime stays.
Returns: changed, removed: [{id, names, size}], kept: [ids that are needed by now].
"""

from __future__ import annotations

from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.docker_api import DockerApi
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.state import docker
from ansible.module_utils.state.images import unneeded


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "ids": {"type": "list", "elements": "str", "required": True},
            "wanted": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    api, given = DockerApi(), module.params
    facts = docker.observe([])
    found = unneeded(facts["images"], facts["containers"], given["wanted"])
    chosen = [entry for entry in found if entry["id"] in given["ids"]]
    removed = []
    try:
        for entry in chosen:
            if not module.check_mode:
                # name by name and never by force: the engine itself refuses what a container uses; the last one takes
                # the image along, unless another was built from it
                for name in entry["names"] or [entry["id"]]:
                    api.delete(f"/images/{quote(name, safe='/:@')}", {})
            removed.append(entry)
    except RefusedError as error:
        module.fail_json(msg=str(error), removed=removed, changed=bool(removed))
    kept = [one for one in given["ids"] if one not in {entry["id"] for entry in chosen}]
    module.exit_json(changed=bool(removed), removed=removed, kept=kept)


if __name__ == "__main__":
    main()
