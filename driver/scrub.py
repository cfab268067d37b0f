"""Take secrets out of text before it is stored or shown."""

from __future__ import annotations

import re

NAMED = re.compile(
    r"""(?ix)
        \b ([\w-]* (?: passw(?:or)?d | passphrase | token | secret | api[_-]?key | authorization | credential ) [\w-]*)
        (["']? \s* (?: [:=] | \s--?\s ) \s* (?:bearer\s+|basic\s+)? ["']?) ([^\s"',;})]{3,})"""
)
IN_URL = re.compile(r"(\w+://)[^/\s:@]+:[^/\s@]+@")


LEAST_HIDDEN = 4  # shorter ones are parts of ordinary words
_known: set[str] = set()


def hide(value: str) -> None:
    """Take *value*, a secret of this run, out of every text from now on."""
    if len(value) >= LEAST_HIDDEN:
        _known.add(value)


def scrub(text: str) -> str:
    """Return *text* without the secrets of this run, and without the values of what is named like a secret."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, "…")
    return IN_URL.sub(r"\1…@", NAMED.sub(r"\1\2…", text))
