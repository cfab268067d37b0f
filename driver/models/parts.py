"""What the sources of models have in common: a place, the files that it has, and the ways in which it can fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model; checksums that the source does not tell are ""."""

    path: str
    size: int
    sha256: str = ""
    git_sha1: str = ""
    md5: str = ""

    def as_lock(self) -> dict[str, Any]:
        """Return the file as site.lock has it."""
        return {key: value for key, value in asdict(self).items() if key != "md5" and value != ""}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model is: names as in driver/resolved.py; *secrets* are the token, or the two keys of an object storage.

    *cache* is a folder that the client may keep its own things in.
    """

    source: str
    repo: str
    revision: str
    endpoint: str
    cache: str
    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def token(self) -> str:
        """Return the token that the source is asked with, "" for none."""
        return self.secrets.get("token", "")


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a model at one *revision*: a commit, or "" where the source has none and the files say it."""

    revision: str
    files: tuple[File, ...]


class SourceError(Exception):
    """A source that did not do what it was asked for; *kind* decides what the operator is told to do."""

    def __init__(self, kind: str, text: str) -> None:
        """Keep the kind: refused, absent, unreachable, spoilt, room, client or failed."""
        super().__init__(text)
        self.kind = kind


class Source(Protocol):
    """A module that speaks to one kind of source with that source's own client."""

    CLIENT: str

    def listing(self, place: Place) -> Listing:
        """Return the files of the model at the commit that its revision is now. Raises whatever the client raises."""

    def prepare(self, place: Place, files: tuple[File, ...]) -> None:
        """Do what is done once for all *files*, before the first is brought."""

    def bring(self, place: Place, file: File, part: Path) -> None:
        """Have the whole content of *file* at *part*, continuing what an earlier run has left."""


def set_id(files: Iterable[File]) -> str:
    """Return the id of a set of files: sha256 of their canonical JSON."""
    plain = [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in files]
    plain.sort(key=lambda entry: str(entry["path"]))
    return hashlib.sha256(
        json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()


def fault(file: Path, wanted: File) -> tuple[str, str]:
    """Return what is wrong with the content of *file*, "" for nothing, and its sha256."""
    size = file.stat().st_size
    if size != wanted.size:
        return f"{size} bytes, expected {wanted.size}", ""
    sums = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    sums["git_sha1"] = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    used = {name: value for name, value in sums.items() if name == "sha256" or getattr(wanted, name)}
    with file.open("rb") as content:
        while block := content.read(CHUNK):
            for digest in used.values():
                digest.update(block)
    for name, digest in used.items():
        expected = getattr(wanted, name)
        if expected and digest.hexdigest() != expected:
            return f"{name} {digest.hexdigest()}, expected {expected}", ""
    return "", used["sha256"].hexdigest()
