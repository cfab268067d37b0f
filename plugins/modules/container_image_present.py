#!/usr/bin/python
"""Bring container images to the host through the Docker Engine's own API: pulled, loaded from an archive, or built.

Arguments: images, as the role's variable has them; archives, {name of an image: path of its archive on this host};
registries, a list of {host, user}; passwords, {host: password}. Sources are tried in the order in which they answer;
digest, processor and chip are compared before anything is moved; the image gets its canonical name. Progress by bytes.
Returns: changed, brought: [{name, source, bytes}], probes: what the registries answered.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.docker_api import SOCKET, DockerApi
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.image_build import build
from ansible.module_utils.converge.image_engine import describe
from ansible.module_utils.converge.image_load import load
from ansible.module_utils.converge.image_mirrors import Mirrors, engine_of
from ansible.module_utils.converge.image_pull import is_wanted, pull
from ansible.module_utils.converge.progress import Progress
from ansible.module_utils.converge.registry_client import Login

SILENCE_SECONDS = 300.0


def bring(api: DockerApi, image: Dict[str, Any], archive: str, mirrors: Mirrors) -> Tuple[str, int]:
    """Bring one image in the way that the site names; return source and bytes. Raises RefusedError."""
    with Progress(f"image-{image['name']}", f"look at {image['name']}", image["size_bytes"]) as progress:
        if image.get("build"):
            return "build", build(api, image, mirrors.logins, progress)
        if image.get("archive"):
            if not archive:
                raise RefusedError(f"{image['name']}: its archive was not brought here (images.archive of site.yml)")
            return archive, load(api, image, archive, progress)
        source, moved = pull(api, image, mirrors, progress)
        return source, moved


def mirrors_of(api: DockerApi, given: Dict[str, Any]) -> Mirrors:
    """Return the registries with the engine's own settings and the site's logins."""
    logins = {entry["host"]: Login(entry["user"], given["passwords"][entry["host"]]) for entry in given["registries"]}
    return Mirrors(engine_of(api.get("/info") or {}), logins)


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "list", "elements": "dict", "required": True},
            "archives": {"type": "dict", "default": {}},
            "registries": {"type": "list", "elements": "dict", "default": []},
            "passwords": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    api, given = DockerApi(timeout=SILENCE_SECONDS), module.params
    brought: List[Dict[str, Any]] = []
    probes: Dict[str, Any] = {}
    try:
        if module.check_mode:  # on a bare host even the engine is only going to be there
            there = os.path.exists(SOCKET)
            names = [
                one["name"] for one in given["images"] if not (there and is_wanted(describe(api, one["name"]), one))
            ]
            brought = [{"name": name} for name in names]
            module.exit_json(changed=bool(brought), brought=brought, probes=probes)
        mirrors = mirrors_of(api, given)
        probes = mirrors.probes
        for image in given["images"]:
            if not is_wanted(describe(api, image["name"]), image):
                source, moved = bring(api, image, given["archives"].get(image["name"], ""), mirrors)
                brought.append({"name": image["name"], "source": source, "bytes": moved})
    except RefusedError as error:
        module.fail_json(msg=str(error), brought=brought, probes=probes, changed=bool(brought))
    module.exit_json(changed=bool(brought), brought=brought, probes=probes)


if __name__ == "__main__":
    main()
