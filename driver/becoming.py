"""How a command becomes root on a host: without a password, or with one that only sudo sees."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence


def as_root(command: Sequence[str], password: str | None) -> tuple[tuple[str, ...], bytes]:
    """Return what the remote shell gets to run *command* as root, and what comes before the command's own input.

    The password goes in as the first line of the input. Where sudo does not ask for one, the line would be the
    command's own, which would show it; so everything up to a mark is thrown away before the command begins.
    """
    if password is None:
        return ("sudo", "-n", *command), b""
    mark = secrets.token_hex(16)
    inner = f'while IFS= read -r line && [ "$line" != {mark} ]; do :; done; exec {shlex.join(command)}'
    words = ("sudo", "-k", "-S", "-p", shlex.quote(""), "/bin/sh", "-c", shlex.quote(inner))
    return words, f"{password}\n{mark}\n".encode()
