"""SELinux: what the kernel does now, what the next boot will do, and whether Ansible's modules can work with it."""

from __future__ import annotations

import importlib.util
import os
import sys

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

ENFORCE = "/sys/fs/selinux/enforce"
CONFIG = "/etc/selinux/config"
SYSTEM_PYTHON = "/usr/bin/python3"


def selinux(root: str = "") -> Facts:
    """Return {mode, configured, bindings}: mode is enforcing, permissive, disabled, or absent where there is no policy.

    configured is the mode of the next boot, "" when no file says; bindings is about this Python, None when the system
    has no package of them for it.
    """
    live = files.line(root + ENFORCE)
    configured = files.pairs(files.text(root + CONFIG)).get("SELINUX", "").lower()
    mode = {"1": "enforcing", "0": "permissive"}.get(live, "disabled" if configured else "absent")
    return {"mode": mode, "configured": configured, "bindings": _bindings()}


def _bindings() -> bool | None:
    """Return whether this Python has them, None for one beside the system's own: Ansible's modules do without there."""
    if importlib.util.find_spec("selinux") is not None:
        return True
    return False if os.path.realpath(sys.executable) == os.path.realpath(SYSTEM_PYTHON) else None
