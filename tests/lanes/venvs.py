"""An environment with an older ansible-core, for hosts whose Python is too old for the pinned one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lab.site.layout import REPOSITORY, Layout

CONSTRAINTS = REPOSITORY / "constraints-python37-hosts.txt"
REQUIREMENTS = REPOSITORY / "requirements.txt"


def python(layout: Layout, series: str) -> Path:
    """Return the interpreter of the environment with ansible-core *series*; make it when it is missing or outdated."""
    folder = layout.root / f"ansible-{series}"
    stamp = folder / ".constraints"
    wanted = CONSTRAINTS.read_text(encoding="utf-8") + REQUIREMENTS.read_text(encoding="utf-8")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        names = [line.split("==")[0] for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if "==" in line]
        subprocess.run(
            [str(folder / "bin/python"), "-m", "pip", "install", "-qq", "-c", str(CONSTRAINTS), *names], check=True
        )
        stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin/python"
