"""Refuse hosts whose Python is too old for the Ansible of this machine, before Ansible fails there with a traceback.

What Ansible needs there is asked of the installed ansible-core itself; this project's own modules run on less.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from driver.errors import Unreachable
from driver.versions import key

CONSTRAINTS = "constraints-python37-hosts.txt"
# In the module that every module of Ansible begins with.
MINIMUM = re.compile(r"^_PY_MIN = \((\d+), (\d+)\)", re.MULTILINE)


@functools.cache
def oldest() -> str:
    """Return the oldest Python that the installed ansible-core runs its modules on, "" when it does not say."""
    found = importlib.util.find_spec("ansible")
    for folder in (found.submodule_search_locations or []) if found else []:
        source = Path(folder) / "module_utils" / "basic.py"
        match = MINIMUM.search(source.read_text(encoding="utf-8")) if source.is_file() else None
        if match:
            return ".".join(match.groups())
    return ""


def require(docs: Mapping[str, Mapping[str, Any]], hosts: Iterable[str]) -> None:
    """Raise Unreachable, one line per host, when one of *hosts* has a Python that Ansible does not run on.

    A host without a document in *docs* came along with others for its services, which Ansible has started before.
    """
    needed = oldest()
    lines = [
        f"{host}: its Python is {seen}, the ansible-core of this machine needs {needed} or newer there. Name a newer "
        f"Python of the host in site.yml (connection.python), or install the ansible-core that can serve this one: "
        f"pip install -c {CONSTRAINTS} -e . (docs/systems.md)"
        for host in hosts
        if host in docs
        and (seen := str(docs[host]["facts"].get("os", {}).get("python", "")))
        and needed
        and key(seen) < key(needed)
    ]
    if lines:
        raise Unreachable("\n".join(lines))
