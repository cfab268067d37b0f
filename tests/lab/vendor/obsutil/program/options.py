"""Words of the command line and the file with endpoint and keys."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The vendor's return codes, as its documents list them.
NO_FILE, NO_TASK, BAD_PARAMETER, BUCKET_STATE, BAD_START, FAILED, UNSUPPORTED, PARTLY, INTERRUPTED = range(1, 10)
FLAGS = ("f", "r", "s", "d", "u", "flat", "vlength", "vmd5", "dryRun", "fr", "interactive")
VALUES = ("i", "k", "e", "t", "config", "limit", "cpd", "checkpointDir", "j", "p", "ps", "threshold", "marker", "o")
ENDPOINT, ACCESS, SECRET = "http://your-endpoint", "*** Provide your Access Key ***", "*** Provide your Secret Key ***"
DEFAULTS = {
    "endpoint": ENDPOINT,
    "ak": ACCESS,
    "sk": SECRET,
    "token": "",
    "connectTimeout": "30",
    "socketTimeout": "310",
    "maxRetryCount": "1",
    "defaultBigfileThreshold": "10485760",
    "defaultPartSize": "5242880",
    "defaultParallels": "5",
    "defaultJobs": "5",
    "showStartTime": "true",
}
MARK = b"\x00obs"
"""How the decoded form of a hidden key begins."""


class ObsutilError(Exception):
    """The command ends with *code* after *text*."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def parse(words: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Return what is no option, and the options: `-f` as True, `-limit=5` as text."""
    plain: list[str] = []
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word[1:].partition("=")
        if not word.startswith("-"):
            plain.append(word)
        elif not equals and name in FLAGS:
            options[name] = True
        elif equals and name in VALUES:
            options[name] = value
        else:
            raise ObsutilError(BAD_PARAMETER, f"Error: flag provided but not defined: {word.split('=')[0]}")
    return plain, options


def config_path(options: dict[str, Any]) -> Path:
    return Path(options["config"]) if "config" in options else Path(os.path.expanduser("~")) / ".obsutilconfig"  # noqa: PTH111


def mixed(content: bytes) -> bytes:
    """Return *content* mixed with a fixed stream: hides a key from a glance, from nobody who looks."""
    stream = hashlib.sha512(b"obsutil").digest() * (len(content) // 64 + 1)
    return bytes(one ^ other for one, other in zip(content, stream))  # noqa: B905


def hidden(key: str) -> str:
    """Return *key* as the file keeps it."""
    return base64.b64encode(MARK + mixed(key.encode())).decode()


def shown(text: str) -> str | None:
    """Return the key that *text* hides; None when it hides nothing."""
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return mixed(content[len(MARK) :]).decode() if content.startswith(MARK) else None


def read_lines(path: Path) -> list[str]:
    """Return the lines of the configuration.

    Raises ObsutilError: it cannot be read, or a line is neither a setting nor a remark.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ObsutilError(BAD_START, f"Error: {error}") from error
    if any(line.strip() and not line.strip().startswith("#") and line.strip().find("=") < 1 for line in lines):
        raise ObsutilError(BAD_START, f"Error: Configuration file [{path}] is not well-formed")
    return lines


def settings(lines: list[str]) -> dict[str, str]:
    pairs = [line.partition("=") for line in lines if "=" in line and not line.strip().startswith("#")]
    return {key.strip(): value.strip() for key, _, value in pairs}


def write_config(path: Path, changes: dict[str, str]) -> None:
    """Put *changes* into the file, and whatever it lacks; a new file gets the mode that the umask leaves."""
    lines = read_lines(path) if path.is_file() else []
    known = settings(lines)
    lines = [
        f"{key}={changes[key]}" if key in changes and not line.startswith("#") else line
        for line, key in ((line, line.partition("=")[0].strip()) for line in lines)
    ]
    lines += [f"{key}={changes.get(key, value)}" for key, value in DEFAULTS.items() if key not in known]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise ObsutilError(BAD_START, f"Error: {error}") from error


def read_config(path: Path) -> dict[str, str]:
    """Return the settings; keys that stand there plainly are hidden in the file from now on."""
    if path.is_dir():
        raise ObsutilError(BAD_START, f"Error: The specified configuration file url [{path}] is a folder, not a file")
    if not path.is_file() or set(DEFAULTS) - set(settings(read_lines(path))):
        write_config(path, {})
    found = settings(read_lines(path))
    plain = {
        key: hidden(found[key]) for key in ("ak", "sk") if found[key] != DEFAULTS[key] and shown(found[key]) is None
    }
    if plain:
        write_config(path, plain)
    return {key: value if key not in ("ak", "sk") else shown(value) or value for key, value in found.items()}


def access(options: dict[str, Any]) -> tuple[str, str, str]:
    """Return endpoint, access key and secret key: the command line's, else the file's."""
    path = config_path(options)
    given = read_config(path)
    pairs = (("e", "endpoint"), ("i", "ak"), ("k", "sk"))
    endpoint, ak, sk = (options.get(word) or given[key] for word, key in pairs)
    if not endpoint or endpoint == ENDPOINT or ak == ACCESS or sk == SECRET:
        raise ObsutilError(BAD_PARAMETER, "Warn: Please set ak, sk and endpoint in the configuration file!")
    if "://" not in endpoint:
        endpoint = "https://" + endpoint
    return endpoint.rstrip("/"), ak, sk


def cloud(url: str) -> tuple[str, str]:
    """Return bucket and key of `obs://bucket/key`."""
    if not url.startswith("obs://") or len(url) == len("obs://"):
        raise ObsutilError(BAD_PARAMETER, f"Error: Invalid cloud url [{url}], must be like obs://bucket/key")
    bucket, _, key = url[len("obs://") :].partition("/")
    return bucket, key
