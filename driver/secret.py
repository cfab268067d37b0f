"""What looks like a secret: by its name, or an address that carries a user or a password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from driver.faults import Location

_NAMED = re.compile(r"(^|[_-])(TOKEN|PASSWORD|SECRET|API[_-]?KEY|ACCESS[_-]?KEY)$", re.IGNORECASE)
# user@ or user:password@ behind a scheme; without a scheme (as proxies are written, too) only with a password
_USERINFO = re.compile(r"://[^\s/?#@]+@|(?:^|[\s=,;])[^\s/?#@:=,;]+:[^\s/?#@]+@(?!sha256:)[\w.\[-]")

EXPECTED = "an address without user and password: rendered files and command lines show it"
ADVICE = "take user and password out: they do not belong into site.yml; use an address that asks for none"


def named(name: str) -> bool:
    """Return whether the value of something called *name* is a secret."""
    return _NAMED.search(name) is not None


def addresses(value: Any, where: Location = ()) -> Iterator[Location]:
    """Yield the place of every text inside *value* that has user and password in front of a host."""
    if isinstance(value, str):
        if _USERINFO.search(value):
            yield where
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in parts:
        yield from addresses(part, (*where, key))
