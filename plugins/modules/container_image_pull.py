#!/usr/bin/python
"""Bring container images to the host through the Docker Engine's own API.

Arguments: images, a list of {name, digest, sources, architecture, size_bytes} as the role's variable has it.
Sources are tried in order; a known digest is pulled and compared; the image gets its canonical name. Progress by bytes.
Returns: changed, pulled: [{name, source, bytes}].
"""

from __future__ import annotations

import os
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.docker_api import SOCKET, DockerApi
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.image_pull import describe, is_wanted, pull
from ansible.module_utils.converge.progress import Progress

SILENCE_SECONDS = 300.0


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={"images": {"type": "list", "elements": "dict", "required": True}}, supports_check_mode=True
    )
    api = DockerApi(timeout=SILENCE_SECONDS)
    pulled: List[Dict[str, Any]] = []
    try:
        for image in module.params["images"]:
            if not (module.check_mode and not os.path.exists(SOCKET)) and is_wanted(
                describe(api, image["name"]), image["digest"], image["architecture"]
            ):
                continue
            source, moved = "", 0
            if not module.check_mode:
                with Progress(f"image-{image['name']}", f"pull {image['name']}", image["size_bytes"]) as progress:
                    source, moved = pull(api, image, progress)
            pulled.append({"name": image["name"], "source": source, "bytes": moved})
    except RefusedError as error:
        module.fail_json(msg=str(error), pulled=pulled, changed=bool(pulled))
    module.exit_json(changed=bool(pulled), pulled=pulled)


if __name__ == "__main__":
    main()
