"""SELinux: what the kernel does now, what the next boot will do, and whether Ansible's modules can work with it."""

from __future__ import annotations

import importlib.util

from . import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

ENFORCE = "/sys/fs/selinux/enforce"
CONFIG = "/etc/selinux/config"


def selinux(root: str = "") -> Facts:
    """Return {mode, configured, bindings}: mode is enforcing, permissive, disabled, or absent where there is no policy.

    configured is the mode of the next boot, "" when no file says; bindings is about this Python.
    """
    live = files.line(root + ENFORCE)
    configured = files.pairs(files.text(root + CONFIG)).get("SELINUX", "").lower()
    mode = {"1": "enforcing", "0": "permissive"}.get(live, "disabled" if configured else "absent")
    return {"mode": mode, "configured": configured, "bindings": importlib.util.find_spec("selinux") is not None}
