"""Whether this machine's capability set needs the narrowed container runtime, and putting it in place."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.lab.site.errors import LabError
from tests.lab.site.layout import ASSETS

CAP_SYS_RESOURCE = 24
"""Bit number, from linux/capability.h."""
RUNTIME_NAME = "narrow"
SOURCE = ASSETS / "narrow_runtime.py"


def lacks_sys_resource(status: str) -> bool:
    """Return whether the bounding set in *status* (text of /proc/self/status) lacks CAP_SYS_RESOURCE."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapBnd":
            return not int(value.strip(), 16) >> CAP_SYS_RESOURCE & 1
    raise LabError("no line CapBnd in /proc/self/status; the simulated site needs a Linux machine to run on")


def needs_narrow_runtime() -> bool:
    """Return whether containers with all privileges need the narrowed runtime on this machine."""
    return lacks_sys_resource(Path("/proc/self/status").read_text(encoding="ascii"))


def install_runtime(target: Path) -> Path:
    """Write the narrowed runtime to *target* for this machine's Python; return *target*."""
    _, _, body = SOURCE.read_text(encoding="utf-8").partition("\n")
    # The system's own Python by choice: a virtual environment may be gone while containers still run.
    interpreter = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"#!{interpreter} -IS\n{body}", encoding="utf-8")
    target.chmod(0o755)
    return target
