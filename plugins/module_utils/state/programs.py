"""Programs that provision took out of an archive: which files, of which version, and whether they are still those."""

from __future__ import annotations

import json
import os

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .items import Facts

FOLDER = "/var/lib/provision"
DOCKER = FOLDER + "/docker-static.json"
OBSUTIL = FOLDER + "/obsutil.json"


def observe(marker: str, root: str = "") -> Facts:
    """Return {version, files, missing, changed} of what *marker* lists; version is None when there is no marker.

    changed names those that are not what was unpacked any more: another size, or written since.
    """
    try:
        noted = json.loads(files.text(root + marker) or "")
        listed: dict[str, Any] = noted["files"]
        version: str | None = noted["version"]
    except (ValueError, KeyError, TypeError):
        return {"version": None, "files": [], "missing": [], "changed": []}
    missing = [path for path in listed if files.kind(root + path) != "file"]
    changed = [path for path in listed if path not in missing and stamp(root + path) != listed[path]["stamp"]]
    return {"version": version, "files": sorted(listed), "missing": sorted(missing), "changed": sorted(changed)}


def stamp(path: str) -> list[int]:
    """Return size and time of writing of *path*: a checksum of all programs would take longer than everything else."""
    found = os.stat(path)
    return [found.st_size, int(found.st_mtime)]
