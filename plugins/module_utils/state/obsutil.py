"""The vendor's client of the object storage: its program, and its private configuration file.

The program is never run here: it writes its log, and whatever of its configuration it finds missing.
"""

from __future__ import annotations

import json
import os
import stat

from . import files, programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts, Wanted

OWNER_ROOT = 0
# What the role remembers of the configuration: a salted digest of the keys, and whether the storage took them.
MEMORY = "/var/lib/provision/obsutil-config.json"


def observe(wanted: Wanted | None) -> Facts:
    """Return {path, present, version, ours, spoilt, config}; {} on a host that is not to have it."""
    if not wanted:
        return {}
    path = os.path.join(wanted["install_dir"], "obsutil")
    noted = programs.observe(programs.OBSUTIL)
    return {
        "path": path,
        "present": files.kind(path) == "file",
        "ours": path in noted["files"],
        "version": noted["version"],
        "spoilt": noted["missing"] + noted["changed"],
        "config": dict(config(wanted["config_path"]), proven=proven()),
    }


def proven(path: str = MEMORY) -> bool:
    """Return whether the storage took the keys after they were written."""
    try:
        return bool(json.loads(files.text(path) or "")["proven"])
    except (ValueError, KeyError, TypeError):
        return False


def config(path: str) -> Facts:
    """Return {path, exists, link, private, mode, owner, endpoint, keys} of the file; never the keys themselves.

    keys: both are there. The program replaces them by an encrypted form when it is first run.
    """
    found: Facts = {"path": path, "exists": False, "link": False, "private": False, "endpoint": "", "keys": False}
    try:
        status = os.lstat(path)
    except OSError:
        return found
    values = files.pairs(files.text(path))
    mode = stat.S_IMODE(status.st_mode)
    found.update(exists=True, link=stat.S_ISLNK(status.st_mode), mode="%04o" % mode, owner=status.st_uid)
    found["private"] = not found["link"] and status.st_uid == OWNER_ROOT and not mode & 0o077
    found.update(endpoint=values.get("endpoint", ""), keys=bool(values.get("ak") and values.get("sk")))
    return found
