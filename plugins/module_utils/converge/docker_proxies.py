"""The proxies of dockerd in a drop-in of its unit: the one file of ours beside it."""

from __future__ import annotations

import os
from typing import Dict

from ..state import files
from ..state.docker import RESTART_MARK
from ..state.docker_start import PROXY_DROP_IN, proxies_of
from .atomic import put

HEAD = "# Written by provision (role docker_engine); changes here are overwritten.\n"


def text_of(variables: Dict[str, str]) -> str:
    """Return the drop-in for *variables*; % and quotes are written so that systemd hands them over unchanged."""
    lines = ["Environment=%s" % _quoted("%s=%s" % pair) for pair in variables.items()]
    return HEAD + "\n".join(["[Service]", *lines]) + "\n"


def differs(variables: Dict[str, str], path: str = PROXY_DROP_IN) -> bool:
    """Return whether the file is not what it has to be; without variables there has to be none."""
    content = files.text(path)
    return content is not None if not variables else proxies_of(content) != variables


def write(variables: Dict[str, str], path: str = PROXY_DROP_IN, mark: str = RESTART_MARK) -> None:
    """Write or remove the file, the mark that a restart is owed first: a run may be killed in between."""
    os.makedirs(os.path.dirname(mark), mode=0o755, exist_ok=True)
    with open(mark, "w", encoding="utf-8"):
        pass
    if variables:
        put(path, text_of(variables), 0o644, folder_mode=0o755)
        return
    if os.path.exists(path):
        os.unlink(path)
    folder = os.path.dirname(path)
    if os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"%s"' % escaped
