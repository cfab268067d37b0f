"""Models in git repositories with their big files in git-lfs, by git and git-lfs themselves.

The repository lies bare in the cache: the small files are in it, and the pointers say size and sha256 of the big ones.
Big files are taken out of git-lfs's own folder, so that nothing is on the disk twice.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from driver.models.parts import File, Listing, Place, SourceError

CLIENT = "git-lfs"
POINTER_BYTES = 1024
_OID_DIGITS = 64
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "LC_ALL": "C",
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "http.lowSpeedLimit",
    "GIT_CONFIG_VALUE_0": "1",
    "GIT_CONFIG_KEY_1": "http.lowSpeedTime",
    "GIT_CONFIG_VALUE_1": "60",
}


def _git(place: Place, *words: str, folder: Path, content: bytes | None = None) -> bytes:
    """Run git in *folder* and return what it says.

    The token is in its environment, not on its command line, and only for the repository's own host: git-lfs is sent
    to the stores of others for the big files.
    """
    parts, given = urlsplit(place.repo), base64.b64encode(f"oauth2:{place.token}".encode()).decode()
    header = {
        "GIT_CONFIG_KEY_2": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
        "GIT_CONFIG_VALUE_2": f"Authorization: Basic {given}" if place.token else "",
    }
    environment = {**os.environ, **_QUIET, **header}
    done = subprocess.run(["git", *words], cwd=folder, env=environment, input=content, capture_output=True, check=False)
    if done.returncode:
        text = done.stderr.decode(errors="replace").strip()
        raise SourceError(_kind(text), f"git {' '.join(words[:2])} of {place.repo}: {_last(text)}")
    return done.stdout


def _kind(text: str) -> str:
    """Return what kind of fault git's words are."""
    words = {
        "refused": ("Authentication failed", "could not read Username", "401", "403", "Authorization error"),
        "absent": ("not found", "couldn't find remote ref", "not our ref", "404", "does not exist"),
        "room": ("No space left", "no space left"),
        "unreachable": (
            "Could not resolve",
            "Failed to connect",
            "unable to access",
            "timed out",
            "connection refused",
        ),
    }
    return next((kind for kind, parts in words.items() if any(part in text for part in parts)), "failed")


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("hint:")]
    return "; ".join(lines[-3:])[-400:]


def _repository(place: Place) -> Path:
    """Return the bare repository in the cache, made when it is not there."""
    folder = Path(place.cache) / f"{hashlib.sha256(place.repo.encode()).hexdigest()[:16]}.git"
    if not (folder / "HEAD").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _git(place, "init", "--quiet", "--bare", folder=folder)
        _git(place, "config", "remote.origin.url", place.repo, folder=folder)
    return folder


def _fetched(place: Place) -> tuple[Path, str]:
    """Return the repository with the commit that the revision is now in it, and that commit."""
    folder = _repository(place)
    _git(place, "fetch", "--quiet", "--depth", "1", "--no-tags", "origin", place.revision, folder=folder)
    return folder, _git(place, "rev-parse", "FETCH_HEAD^{commit}", folder=folder).decode().strip()


def _need(program: str) -> None:
    if shutil.which(program) is None:
        raise SourceError("client", program)


def listing(place: Place) -> Listing:
    """Return the files at the commit that the revision is now."""
    _need("git")
    folder, commit = _fetched(place)
    raw = _git(place, "ls-tree", "-r", "-z", "--long", commit, folder=folder)
    files = []
    for entry in filter(None, raw.split(b"\0")):
        about, _, name = entry.partition(b"\t")
        mode, _kind_of, blob, size = about.decode().split()
        if mode not in ("100644", "100755"):
            raise SourceError("failed", f"{place.repo}: {name.decode()} is no plain file (mode {mode})")
        content = _git(place, "cat-file", "blob", blob, folder=folder)
        pointer = _POINTER.fullmatch(content) if int(size) < POINTER_BYTES else None
        if pointer:
            files.append(File(name.decode(), int(pointer[2]), pointer[1].decode()))
        else:
            files.append(File(name.decode(), int(size), hashlib.sha256(content).hexdigest(), blob))
    return Listing(commit, tuple(files))


def prepare(place: Place, files: tuple[File, ...]) -> None:
    """Have git-lfs bring what the commit points to; it keeps and continues what an earlier run has left."""
    _need("git-lfs")
    folder, commit = _fetched(place)
    _git(place, "update-ref", f"refs/provision/{commit}", commit, folder=folder)
    if any(not file.git_sha1 for file in files):
        _adopt(folder / "lfs/incomplete")
        _git(place, "lfs", "fetch", "origin", commit, folder=folder)


def _adopt(folder: Path) -> None:
    """Give what a killed git-lfs has left the name under which it continues it: it has one only for what broke off."""
    left = [path for path in folder.glob("*") if path.name[_OID_DIGITS:].isdigit()]
    for path in sorted(left, key=lambda path: path.stat().st_size):
        path.replace(folder / f"{path.name[:_OID_DIGITS]}.part")


def bring(place: Place, file: File, part: Path) -> None:
    """Take the file out of the repository."""
    folder = _repository(place)
    if file.git_sha1:
        part.write_bytes(_git(place, "cat-file", "blob", file.git_sha1, folder=folder))
        return
    known = folder / "lfs/objects" / file.sha256[:2] / file.sha256[2:4] / file.sha256
    if not known.is_file():
        raise SourceError("absent", f"git-lfs of {place.repo} has no object of {file.path} ({file.sha256})")
    part.unlink(missing_ok=True)
    part.hardlink_to(known)
