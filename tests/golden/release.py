"""The sums of the stand-ins for the vendor's packages, as the release of the lab has to state them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from driver import paths

RELEASE = paths.CATALOG / "releases/lab.yml"
RELEASES = tuple(sorted(paths.CATALOG.glob("releases/lab*.yml")))
"""The releases whose files the lab builds."""

_ENTRY = re.compile(r'\{file: (?P<file>[^,{}]+), size: \d+, sha256: "[0-9a-f]*"\}')


def with_sums(text: str, built: dict[str, Path]) -> str:
    """Return *text*, a release, with size and SHA-256 of the files in *built*, which are given by their names."""

    def entry(match: re.Match[str]) -> str:
        content = built[match["file"]].read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        return f'{{file: {match["file"]}, size: {len(content)}, sha256: "{sha256}"}}'

    return _ENTRY.sub(entry, text)
