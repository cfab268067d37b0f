"""Docker's daemon.json has other writers: merge our keys, keep theirs, replace it in one go, remember what we wrote."""

from __future__ import annotations

import copy
import glob
import json
import os
import stat
import time
from typing import Any, Dict, List, Tuple

from .atomic import put
from .errors import RefusedError

Options = Dict[str, Any]

# Only root may decide how every container runs; the vendor's installer refuses a file of somebody else.
OWNER_ROOT = 0
BACKUP_END = ".provision-backup"


def merged(present: Options, options: Options, remove: Options) -> Options:
    """Return *present* with our *options*: dicts merged, lists joined, other values replaced.

    *remove* names keys that go away when they hold exactly the value given there: what we once set, not what
    somebody else chose.
    """
    result = copy.deepcopy(present)
    for key, value in remove.items():
        if result.get(key) == value:
            del result[key]
    for key, value in options.items():
        old = result.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            result[key] = {**old, **copy.deepcopy(value)}
        elif isinstance(value, list) and isinstance(old, list):
            result[key] = old + [entry for entry in value if entry not in old]
        else:
            result[key] = copy.deepcopy(value)
    return result


def read(path: str, last_written: str) -> Tuple[Options, bool]:
    """Return the content of *path* and whether it had to be taken from *last_written* because it is broken.

    Only a copy that we wrote ourselves can repair a broken file without losing the operator's keys.
    Raises RefusedError.
    """
    try:
        with open(path, encoding="utf-8") as source:
            text = source.read()
    except FileNotFoundError:
        return {}, False
    try:
        return _object(text), False
    except ValueError as error:
        fault = error
    try:
        with open(last_written, encoding="utf-8") as source:
            return _object(source.read()), True
    except (OSError, ValueError):
        raise RefusedError(
            f"{path} is not a JSON object: {fault}. There is no copy that provision wrote ({last_written}) to repair "
            f"it from, and other keys in it may be somebody's. Correct it by hand or move it away, then run again."
        ) from fault


def _object(text: str) -> Options:
    if not text.strip():
        return {}
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"found a {type(found).__name__}, expected an object")
    return found


def unsafe(path: str, owner: int = OWNER_ROOT) -> str:
    """Return why *path* must not be written through ("" is fine): vendors' installers refuse it as well."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return ""
    if stat.S_ISREG(found.st_mode):
        if found.st_uid == owner:
            return ""
        return (
            f"{path} belongs to uid {found.st_uid}, expected {owner}: look who writes it, then `chown root:root {path}`"
        )
    kind = "link" if stat.S_ISLNK(found.st_mode) else "folder or device"
    return f"{path} is a {kind}, expected a plain file: replace it by its content"


def mode_for(path: str) -> int:
    """Return the mode for the new file: the present one unless others could write it; 0600 is what the vendor sets."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return 0o600
    return 0o600 if mode & 0o022 else mode


def render(options: Options) -> str:
    """Return the text of the file, the same for the same content."""
    return json.dumps(options, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(path: str, text: str, last_written: str, mode: int = 0) -> str:
    """Replace *path* by *text*, keep the old file beside it, remember ours; return the backup's path ("" is none).

    *mode* 0 stands for the one that the file has.
    """
    mode = mode or mode_for(path)
    backup = ""
    if os.path.exists(path):
        backup = f"{path}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}{BACKUP_END}"
        with open(path, encoding="utf-8", errors="surrogateescape") as old:
            put(backup, old.read(), 0o600, folder_mode=0o755)
    put(path, text, mode, folder_mode=0o755)
    put(last_written, text, 0o600)
    return backup


def take_away(path: str, last_written: str) -> None:
    """Remove every copy of *path* that write() made: beside it, and what it remembered."""
    copies = glob.glob(glob.escape(path) + ".*" + BACKUP_END)
    for name in [*copies, last_written]:
        if os.path.exists(name):
            os.unlink(name)


def in_order(wanted: Options, present: Options) -> Options:
    """Return *wanted* with lists of the same entries in the order of *present*: no change for nothing."""
    result = dict(wanted)
    for key, value in wanted.items():
        old = present.get(key)
        if isinstance(value, list) and isinstance(old, list) and len(old) == len(value):
            result[key] = old if all(part in old for part in value) else value
    return result


def not_in_effect(options: Options, info: Options) -> List[str]:
    """Return our keys that the running engine does not show in *info* (GET /info), of those that it reports at all."""
    missing = []
    if "default-runtime" in options and info.get("DefaultRuntime") != options["default-runtime"]:
        missing.append("default-runtime")
    for name, runtime in (options.get("runtimes") or {}).items():
        if ((info.get("Runtimes") or {}).get(name) or {}).get("path") != runtime.get("path"):
            missing.append(f"runtimes.{name}")
    registries = info.get("RegistryConfig") or {}
    known = set(registries.get("InsecureRegistryCIDRs") or [])
    known |= {name for name, index in (registries.get("IndexConfigs") or {}).items() if not index.get("Secure", True)}
    missing += [
        f"insecure-registries {entry}" for entry in options.get("insecure-registries") or [] if entry not in known
    ]
    mirrors = [mirror.rstrip("/") for mirror in registries.get("Mirrors") or []]
    wanted = options.get("registry-mirrors") or []
    missing += [f"registry-mirrors {entry}" for entry in wanted if entry.rstrip("/") not in mirrors]
    for key, shown in (("data-root", "DockerRootDir"), ("log-driver", "LoggingDriver")):
        if key in options and info.get(shown) != options[key]:
            missing.append(f"{key} {options[key]}")
    return missing


# What GET /info shows of daemon.json, so that nobody has to guess whether the engine runs with it.
VISIBLE = {"default-runtime", "runtimes", "insecure-registries", "registry-mirrors", "data-root", "log-driver"}


def restart_needed(present: Options, wanted: Options, options: Options, info: Options) -> bool:
    """Return whether the engine has to be restarted to run with *wanted*.

    A file that was spoilt under an engine that runs with the right values is written again and that is all: a restart
    stops every container.
    """
    changed = {name for name in set(present) | set(wanted) if present.get(name) != wanted.get(name)}
    shrunk = {name for name in changed if name not in wanted or _lost(present.get(name), wanted[name])}
    shown = {name: wanted[name] for name in changed & VISIBLE if name in wanted}
    return not info or bool(shrunk or changed - VISIBLE) or bool(not_in_effect({**options, **shown}, info))


def still_in_effect(gone: Options, wanted: Options, info: Options) -> bool:
    """Return whether the running engine shows a runtime of *gone* that *wanted* does not have.

    A vendor's uninstaller takes its entries out of the file itself: then the file does not tell that they went.
    """
    default = gone.get("default-runtime")
    if default and info.get("DefaultRuntime") == default != wanted.get("default-runtime"):
        return True
    went = set(gone.get("runtimes") or {}) - set(wanted.get("runtimes") or {})
    return bool(went & set(info.get("Runtimes") or {}))


def _lost(before: Any, after: Any) -> bool:
    """Return whether a list or an object has lost members: what goes is not seen by asking for what is wanted."""
    if isinstance(before, (list, dict)) and isinstance(after, (list, dict)):
        return any(part not in after for part in before)
    return False
