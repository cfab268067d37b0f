"""Take secrets out of text before it is stored or shown."""

from __future__ import annotations

import re

NAMED = re.compile(
    r"""(?ix)
        \b ([\w-]* (?: passw(?:or)?d | passphrase | token | secret | api[_-]?key | authorization | credential ) [\w-]*)
        (["']? \s* (?: [:=] | \s--?\s ) \s* (?:bearer\s+|basic\s+)? ["']?) ([^\s"',;})]{3,})"""
)
IN_URL = re.compile(r"(\w+://)[^/\s:@]+:[^/\s@]+@")


def scrub(text: str) -> str:
    """Return *text* with the values of everything that is named like a secret taken out."""
    return IN_URL.sub(r"\1…@", NAMED.sub(r"\1\2…", text))
