"""Writes the agent as one file that stays when the module, and the archive it came in, are gone."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import zipfile
from typing import Any

MODULES = (
    "agent", "client", "config", "errors", "files", "job", "limit", "receive", "serve", "slow", "sources", "tls",
)  # fmt: skip
NAME = "agent.pyz"
# Fixed, so that the same sources make the same archive.
STAMP = (1980, 1, 1, 0, 0, 0)
START = "import sys\nfrom move.agent import main\nsys.exit(main(sys.argv[1:]))\n"


def source_of(module: Any) -> str:
    """Return the source of *module*, also when it was imported from an archive."""
    loader = module.__loader__
    text = loader.get_source(module.__name__)
    if text is None:
        raise RuntimeError(f"{module.__name__} has no source")
    return str(text)


def build() -> bytes:
    """Return the archive: this package, and a start for `python3 -I agent.pyz CONFIG`."""
    package = __name__.rpartition(".")[0]
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        texts = {"__main__.py": START, "move/__init__.py": ""}
        for name in MODULES:
            texts[f"move/{name}.py"] = source_of(importlib.import_module(f"{package}.{name}"))
        for path, text in sorted(texts.items()):
            archive.writestr(zipfile.ZipInfo(path, STAMP), text)
    return held.getvalue()


def write(folder: str) -> str:
    """Write the archive into *folder* under a name that says its content; return its path."""
    content = build()
    name, _, ending = NAME.partition(".")
    path = os.path.join(folder, f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.{ending}")
    if not os.path.exists(path):
        handle = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as target:
            target.write(content)
        os.replace(path + ".new", path)
    return path
