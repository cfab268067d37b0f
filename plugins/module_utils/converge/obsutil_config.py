"""obsutil's configuration: KEY=value lines, of which we own the address and the two keys.

obsutil replaces ak and sk by an encrypted form as soon as it runs, so whether the keys are the wanted ones can not be
read from the file: a salted digest of them is kept beside.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from typing import Any, Dict

from ..state.obsutil import config
from .atomic import put
from .errors import RefusedError

KEYS = ("endpoint", "ak", "sk")
MODE = 0o600


def digest(salt: str, access_key: str, secret_key: str) -> str:
    """Return what tells whether the keys are still the same, and nothing else about them."""
    text = f"{salt}\n{access_key}\n{secret_key}".encode()
    return hashlib.pbkdf2_hmac("sha256", text, salt.encode(), 10_000).hex()


def read_memory(path: str) -> Dict[str, Any]:
    """Return what was remembered: salt, digest, and the file as it was found (before: None when there was none)."""
    try:
        with open(path, encoding="utf-8") as source:
            return dict(json.load(source))
    except (OSError, ValueError, TypeError):
        return {}


def is_right(path: str, memory: Dict[str, Any], wanted: Dict[str, str]) -> bool:
    """Return whether *path* has the address, is private, and was given these keys."""
    seen = config(path)
    same = digest(str(memory.get("salt")), wanted["ak"], wanted["sk"]) == memory.get("digest")
    return bool(seen["private"] and seen["keys"] and seen["endpoint"] == wanted["endpoint"] and same)


def write(path: str, memory_path: str, wanted: Dict[str, str]) -> None:
    """Put address and keys into *path*, keep its other lines, remember what was there before. Raises RefusedError."""
    if os.path.islink(path) or (os.path.exists(path) and not os.path.isfile(path)):
        raise RefusedError(f"{path} is no plain file, expected one: keys are not written through a link. Remove it.")
    memory = read_memory(memory_path)
    lines = _lines(path)
    if not memory:
        memory = {"before": "".join(lines) if os.path.exists(path) else None, "mode": _mode(path)}
    salt = secrets.token_hex(16)
    memory.update(proven=False, salt=salt, digest=digest(salt, wanted["ak"], wanted["sk"]))
    kept = [line for line in lines if line.partition("=")[0].strip() not in KEYS]
    ours = [f"{key}={wanted[key]}\n" for key in KEYS]
    put(memory_path, json.dumps(memory), MODE)
    put(path, "".join([*ours, *kept]), MODE)


def prove(memory_path: str) -> bool:
    """Remember that the storage took the keys; return whether that is news."""
    memory = read_memory(memory_path)
    if not memory or memory.get("proven"):
        return False
    put(memory_path, json.dumps({**memory, "proven": True}), MODE)
    return True


def take_back(path: str, memory_path: str) -> bool:
    """Put back the file that was there before, or remove ours; return whether anything changed."""
    if not os.path.exists(memory_path):
        return False
    memory = read_memory(memory_path)
    if memory.get("before") is not None:
        put(path, memory["before"], int(memory.get("mode") or "600", 8))
    elif os.path.exists(path):
        os.unlink(path)
    os.unlink(memory_path)
    return True


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as source:
            return [line if line.endswith("\n") else line + "\n" for line in source]
    except FileNotFoundError:
        return []


def _mode(path: str) -> str:
    return "%o" % stat.S_IMODE(os.stat(path).st_mode) if os.path.exists(path) else ""
