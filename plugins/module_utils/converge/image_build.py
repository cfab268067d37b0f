"""Build an image from a Dockerfile that the site renders; a label says from which text, so that a change is seen."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from typing import Any, Dict, List

from .docker_api import DockerApi
from .errors import RefusedError
from .image_engine import describe, require_room
from .image_names import HUB
from .progress import Progress
from .registry_client import Login

LAST_LINES = 20


def build(api: DockerApi, image: Dict[str, Any], logins: Dict[str, Login], progress: Progress) -> int:
    """Build *image* {name, architecture, build: {dockerfile, base, label, key}}; return 0 bytes moved.

    Its base is an image that is here already, under its canonical name. Raises RefusedError with the end of the log.
    """
    plan = image["build"]
    base = describe(api, plan["base"])
    if not base:
        raise RefusedError(
            f"{image['name']}: its base {plan['base']} is not on this host (images.build.base of site.yml)"
        )
    if image["architecture"] and base["architecture"] != image["architecture"]:
        found = f"its base {plan['base']} was built for {base['architecture']}"
        raise RefusedError(f"{image['name']}: {found}, this host needs {image['architecture']}")
    require_room(api, image["name"], int(image.get("size_bytes") or 0))
    try:
        _run(api, image, logins, progress)
    except RefusedError as error:
        raise RefusedError(f"{image['name']}: {error} (images.build of site.yml)") from error
    _compare(api, image)
    return 0


def _run(api: DockerApi, image: Dict[str, Any], logins: Dict[str, Login], progress: Progress) -> None:
    plan = image["build"]
    query = {"t": image["name"], "labels": json.dumps({plan["label"]: plan["key"]}), "rm": "1", "forcerm": "1"}
    query["networkmode"] = "host"
    context = _context(plan["dockerfile"])
    headers = {"Content-Type": "application/x-tar", "Content-Length": str(len(context)), **_logins(logins)}
    lines: List[str] = []
    for event in api.send("/build", query, [context], headers):
        if "error" in event:
            log = " / ".join(line for line in lines[-LAST_LINES:] if line)
            raise RefusedError(f"the build ended with: {event['error']}. Its last lines: {log}")
        text = str(event.get("stream") or "").strip()
        lines.append(text)
        progress.update(0, f"build {image['name']}: {text[:60]}" if text.startswith("Step ") else "")


def _compare(api: DockerApi, image: Dict[str, Any]) -> None:
    found = describe(api, image["name"])
    if found.get("labels", {}).get(image["build"]["label"]) != image["build"]["key"]:
        raise RefusedError(f"{image['name']}: the engine built it without its label; it answers {found or 'nothing'}")


def _context(dockerfile: str) -> bytes:
    """Return the folder that the build sees: the Dockerfile alone."""
    text, target = dockerfile.encode(), io.BytesIO()
    member = tarfile.TarInfo("Dockerfile")
    member.size, member.mode = len(text), 0o644
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(member, io.BytesIO(text))
    return target.getvalue()


def _logins(logins: Dict[str, Login]) -> Dict[str, str]:
    """Return the header in which a build takes the logins of all registries; {} without one."""
    if not logins:
        return {}
    hub = "https://index.docker.io/v1/"
    said = {hub if name == HUB else name: {"username": user, "password": word} for name, (user, word) in logins.items()}
    return {"X-Registry-Config": base64.urlsafe_b64encode(json.dumps(said).encode()).decode()}
