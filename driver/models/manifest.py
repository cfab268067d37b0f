"""The manifest of a folder of files: our JSON, or the text that `sha256sum` writes.

manifest.json is {"schema": 1, "files": [{"path": …, "size": …, "sha256": …}]}; SHA256SUMS has a line `sum  path`
for each file, and no sizes.
"""

from __future__ import annotations

import json
import re
from typing import Any

from driver.models.parts import File, SourceError

NAMES = ("manifest.json", "SHA256SUMS")
SCHEMA = 1
UNKNOWN_SIZE = -1
_LINE = re.compile(r"\\?([0-9a-f]{64}) [ *](.+)")
_SUM = re.compile(r"[0-9a-f]{64}")


def read(name: str, text: str, where: str) -> list[File]:
    """Return the files of the manifest *name* with the content *text*; raises SourceError that names *where*."""
    files = _json(text, where) if name.endswith(".json") else _sums(text, where)
    seen: set[str] = set()
    for file in files:
        if not inside(file.path) or file.path in seen:
            found = f"{file.path} twice" if file.path in seen else f"the path {file.path!r}"
            raise SourceError("spoilt", f"{where}: found {found}; expected every file once, by its path in the folder")
        seen.add(file.path)
    if not files:
        raise SourceError("absent", f"{where}: lists no file")
    return files


def inside(path: str) -> bool:
    """Return whether *path* stays below the folder that it is relative to."""
    return bool(path) and "\\" not in path and all(part not in ("", ".", "..") for part in path.split("/"))


def _json(text: str, where: str) -> list[File]:
    try:
        document: Any = json.loads(text)
        schema = document["schema"]
        files = [File(str(entry["path"]), int(entry["size"]), str(entry["sha256"])) for entry in document["files"]]
    except (ValueError, KeyError, TypeError) as error:
        expected = 'expected {"schema": 1, "files": [{"path", "size", "sha256"}]}'
        raise SourceError("spoilt", f"{where}: is no manifest ({error!r}); {expected}") from error
    if schema != SCHEMA:
        raise SourceError("spoilt", f"{where}: found schema {schema}; expected {SCHEMA}")
    bad = next((file for file in files if file.size < 0 or not _SUM.fullmatch(file.sha256)), None)
    if bad:
        raise SourceError("spoilt", f"{where}: {bad.path} without size or sha256 of 64 small digits")
    return files


def _sums(text: str, where: str) -> list[File]:
    files = []
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is None and line.strip():
            raise SourceError("spoilt", f"{where}: line {number} is none of `sha256sum`: {line[:60]!r}")
        if found:
            files.append(File(found[2].removeprefix("./"), UNKNOWN_SIZE, found[1]))
    return files
