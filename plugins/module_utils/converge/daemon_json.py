"""Docker's daemon.json has other writers: merge our keys, keep theirs, replace it in one go, remember what we wrote."""

from __future__ import annotations

import copy
import json
import os
import stat
import time
from typing import Any, Dict, List, Tuple

from .errors import RefusedError

Options = Dict[str, Any]

# How dockerd spells a key of daemon.json on its command line, where that is not the key itself.
FLAG_OF = {
    "insecure-registries": "insecure-registry",
    "registry-mirrors": "registry-mirror",
    "hosts": "host",
    "labels": "label",
    "log-opts": "log-opt",
    "storage-opts": "storage-opt",
    "exec-opts": "exec-opt",
    "default-ulimits": "default-ulimit",
}
# dockerd itself allows these in both places.
BOTH_PLACES = ("runtimes", "features", "builder")


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


def unsafe(path: str) -> str:
    """Return why *path* must not be written through ("" is fine): vendors' installers refuse it as well."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return ""
    if stat.S_ISREG(found.st_mode):
        return ""
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


def write(path: str, text: str, last_written: str) -> str:
    """Replace *path* by *text*, keep the old file beside it, remember ours; return the backup's path ("" is none)."""
    mode = mode_for(path)
    backup = ""
    if os.path.exists(path):
        backup = f"{path}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.provision-backup"
        os.replace(_copy(path, backup + ".new"), backup)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    os.makedirs(os.path.dirname(last_written), mode=0o700, exist_ok=True)
    _put(path, text, mode)
    _put(last_written, text, 0o600)
    return backup


def _copy(source: str, target: str) -> str:
    with open(source, "rb") as old, open(target, "wb") as new:
        new.write(old.read())
    os.chmod(target, 0o600)
    return target


def _put(path: str, text: str, mode: int) -> None:
    draft = path + ".provision-new"
    with open(draft, "w", encoding="utf-8") as target:
        target.write(text)
        target.flush()
        os.fsync(target.fileno())
    os.chmod(draft, mode)
    os.replace(draft, path)


def given_twice(options: Options, command_line: str) -> List[str]:
    """Return our keys that the unit's command line sets too: dockerd does not start when both do."""
    words = command_line.replace("=", " ").split()
    keys = [key for key in options if key not in BOTH_PLACES]
    return sorted(key for key in keys if f"--{FLAG_OF.get(key, key)}" in words)


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
    return missing


# What GET /info shows of daemon.json, so that nobody has to guess whether the engine runs with it.
VISIBLE = {"default-runtime", "runtimes", "insecure-registries"}


def restart_needed(present: Options, wanted: Options, options: Options, info: Options) -> bool:
    """Return whether the engine has to be restarted to run with *wanted*.

    A file that was spoilt under an engine that runs with the right values is written again and that is all: a restart
    stops every container.
    """
    changed = {name for name in set(present) | set(wanted) if present.get(name) != wanted.get(name)}
    removed = set(present) - set(wanted)
    return not info or bool(removed) or bool(changed - VISIBLE) or bool(not_in_effect(options, info))
