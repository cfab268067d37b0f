"""Is a model on disk whole? Index, every shard, configuration, tokenizer, leftovers, and the manifest of its download.

A file that the manifest lists and that nobody has written since is compared by size only: it was hashed then.
"""

from __future__ import annotations

import json
import os

from . import files, safetensors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .items import Facts

MANIFEST = ".provision-manifest.json"
LOCK = ".provision-lock"
INDEX = "model.safetensors.index.json"
WEIGHTS_ENDINGS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
LEFTOVER_ENDINGS = (".incomplete", ".part")
LEFTOVER_FOLDER = "._____temp"
OURS = ".provision-"
PARTS = ".provision-parts"
"""Our own folder of what has arrived and is not verified."""
TOKENIZERS = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"), ("tiktoken.model",))
HASH_CHUNK = 1 << 22


def observe(path: str, deep: bool = False, wanted: list[Facts] | None = None) -> Facts:
    """Return {present, complete, bad [{file, reason, bytes}], files, bytes, repo, revision, source, verified, lacks}.

    bytes of a bad file is how long it should be, 0 when unknown. *deep* hashes what the manifest lists. lacks says what
    of the *wanted* files ({path, size, sha256}, as site.lock has them) the manifest does not vouch for: {files, bytes}.
    """
    found: Facts = {
        "present": os.path.isdir(path), "complete": False, "bad": [], "files": 0, "bytes": 0,
        "repo": None, "revision": None, "source": None, "verified": False, "lacks": _lacks(wanted or [], {}),
    }  # fmt: skip
    if not found["present"]:
        return found
    there = _walk(path)
    manifest, written = _manifest(path)
    begun = there.pop(LOCK, None) is not None or os.path.isdir(os.path.join(path, PARTS))
    there.pop(MANIFEST, None)
    found.update(files=len(there), bytes=sum(size for size, _ in there.values()))
    found.update({key: manifest.get(key) for key in ("repo", "revision", "source")}, verified=bool(manifest))
    found["lacks"] = _lacks(wanted or [], manifest)
    known, bad = _compare(path, there, manifest, written, deep)
    bad += leftovers(there)
    bad += _shards(path, there, known)
    if not manifest:
        bad += _expected(there)
        # our own download takes the lock first and writes the manifest last; files that a person put here have neither
        bad += [_fault(MANIFEST, "missing: a download was begun and not finished")] if begun else []
    elif os.path.isdir(os.path.join(path, PARTS)):
        bad.append(_fault(PARTS, "left by a download that was interrupted"))
    bad += _documents(path, there, known)
    bad += _rewritten(path, there, manifest) if manifest else []
    first: dict[str, Facts] = {}
    for entry in bad:
        first.setdefault(entry["file"], entry)  # the first reason for a file is the most exact one
    found["bad"] = list(first.values())
    found["complete"] = not found["bad"]
    return found


def _lacks(wanted: list[Facts], manifest: Facts) -> Facts:
    """Return how many of the *wanted* files, and of their bytes, the manifest has not under whatever name."""
    listed = {entry["path"]: entry for entry in manifest.get("files", [])}
    sums = {entry.get("sha256") for entry in listed.values()}
    found: Facts = {"files": 0, "bytes": 0}
    for entry in wanted:
        if entry["path"].startswith(OURS):
            continue  # came along from the host that the source was filled from
        known = listed.get(entry["path"])
        sha256 = entry.get("sha256")
        if known is None or known["size"] != entry["size"] or (sha256 and known.get("sha256") != sha256):
            found["files"] += 1
            found["bytes"] += 0 if sha256 and sha256 in sums else entry["size"]
    return found


def _fault(name: str, reason: str, size: int = 0) -> Facts:
    return {"file": name, "reason": reason, "bytes": size}


def _walk(path: str) -> dict[str, tuple[int, float]]:
    """Return size and time of the last change of every file below *path*, by its relative name."""
    there: dict[str, tuple[int, float]] = {}
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name != PARTS]
        for name in names:
            place = os.path.join(folder, name)
            try:
                status = os.stat(place)
            except OSError:
                continue  # a client renames its unfinished files; a link into nowhere is no file
            there[os.path.relpath(place, path)] = (status.st_size, max(status.st_mtime, status.st_ctime))
    return there


def _manifest(path: str) -> tuple[Facts, float]:
    """Return the manifest ({} without a readable one) and when it was written."""
    place = os.path.join(path, MANIFEST)
    try:
        found = json.loads(files.text(place) or "")
        listed = found["files"]
        if all(isinstance(entry["path"], str) and isinstance(entry["size"], int) for entry in listed):
            status = os.stat(place)
            return dict(found), max(status.st_mtime, status.st_ctime)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {}, 0.0


def _compare(
    path: str, there: dict[str, tuple[int, float]], manifest: Facts, written: float, deep: bool
) -> tuple[set[str], list[Facts]]:
    """Return which files are as the manifest lists them, untouched since, and what is wrong with the others."""
    known, bad = set(), []
    for entry in manifest.get("files", []):
        name, size = entry["path"], entry["size"]
        if name not in there:
            bad.append(_fault(name, "missing", size))
        elif there[name][0] != size:
            bad.append(_fault(name, "%d bytes, expected %d" % (there[name][0], size), size))
        elif there[name][1] <= written:
            known.add(name)
        if deep and name in there and entry.get("sha256") and _sha256(os.path.join(path, name)) != entry["sha256"]:
            bad.append(_fault(name, "its sha256 is not the one of the manifest", size))
    return known, bad


def _rewritten(path: str, there: dict[str, tuple[int, float]], manifest: Facts) -> list[Facts]:
    """Return the weights that were written after their manifest: nobody has compared them with the hub's checksums.

    Only the time of the content counts here: a change of owner or mode spoils no weights.
    """
    written = files.modified(os.path.join(path, MANIFEST))
    listed = {entry["path"] for entry in manifest["files"]} & set(there)
    return [
        _fault(name, "written since it was verified")
        for name in sorted(listed)
        if name.endswith(WEIGHTS_ENDINGS) and files.modified(os.path.join(path, name)) > written
    ]


def _sha256(path: str) -> str:
    import hashlib  # noqa: PLC0415 - takes longer to load than all the rest, and only a deep look needs it

    digest = hashlib.sha256()
    with open(path, "rb") as source:
        for chunk in iter(lambda: source.read(HASH_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def leftovers(there: dict[str, tuple[int, float]]) -> list[Facts]:
    """Return what an interrupted download left behind."""
    return [
        _fault(name, "left by a download that was interrupted")
        for name in sorted(there)
        if name.endswith(LEFTOVER_ENDINGS) or LEFTOVER_FOLDER in name.split(os.sep)[:-1]
    ]


def _shards(path: str, there: dict[str, tuple[int, float]], known: set[str]) -> list[Facts]:
    """Return what is wrong with the weights: the index names the shards, every header gives its file's size."""
    names = sorted(name for name in there if name.endswith(".safetensors") and os.sep not in name)
    bad = []
    if INDEX in there:
        try:
            names = sorted(set(_json(path, INDEX)["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            bad.append(_fault(INDEX, "not an index: %s" % error))
    elif not names and not known:
        bad.append(_fault("*.safetensors", "missing"))
    for name in names:
        if name not in known:
            reason, size = safetensors.fault(os.path.join(path, name))
            if reason:
                bad.append(_fault(name, reason, size))
    return bad


def _expected(there: dict[str, tuple[int, float]]) -> list[Facts]:
    """Return which of the files that every model has are missing; only asked where no manifest lists the files."""
    bad = [] if "config.json" in there else [_fault("config.json", "missing")]
    if not any(all(name in there for name in names) for names in TOKENIZERS):
        bad.append(_fault("tokenizer.json", "missing, and no other tokenizer is there"))
    return bad


def _documents(path: str, there: dict[str, tuple[int, float]], known: set[str]) -> list[Facts]:
    """Return the JSON files of the top folder that cannot be read."""
    bad = []
    for name in sorted(there):
        if not name.endswith(".json") or os.sep in name or name in known or name == INDEX:
            continue
        if _is_pointer(os.path.join(path, name)):
            bad.append(_fault(name, "a git-lfs pointer, not the file itself"))
            continue
        try:
            _json(path, name)
        except ValueError as error:
            bad.append(_fault(name, "not JSON: %s" % error))
    return bad


def _json(path: str, name: str) -> Any:
    try:
        with open(os.path.join(path, name), "rb") as source:
            return json.loads(source.read().decode("utf-8"))
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error


def _is_pointer(path: str) -> bool:
    try:
        return safetensors.is_pointer(path)
    except OSError:
        return False
