"""Models from a git repository with git-lfs: large files come from its store to their place without a second copy.

The repository is kept bare of large files in the folder of parts; what git-lfs has brought of them goes on after an
interruption, and each file is linked from the store to its final name.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from typing import Any, Dict, List, Sequence, Tuple
from urllib.parse import urlsplit

from .errors import RefusedError
from .hub_files import HubFile
from .installer import tail
from .model_access import Access, Way
from .model_client import Client, run
from .model_files import PARTS, inside
from .model_stage import Stage
from .session import answer, execute

GIT_SECONDS = 600.0
REPOSITORY = ".git-source"
WANTED = "refs/provision/wanted"
TOKEN = "PROVISION_GIT_TOKEN"  # noqa: S105 - the name of a variable
SERVER = "PROVISION_GIT_SERVER"
# git and git-lfs run it to ask for a name and a password; the token stays in the environment, and is for one server: a
# repository may name another one for its large files, and a server may send elsewhere.
ASK = rf"""#!/bin/sh
asked=${{1#* for ?*://}}
asked=${{asked%%[\'\"/]*}}
[ "${{asked##*@}}" = "${SERVER}" ] || exit 1
case "$1" in Username*) echo oauth2 ;; *) printf "%s\n" "${TOKEN}" ;; esac
"""
_POINTER = re.compile(
    rb"\Aversion https://git-lfs\.github\.com/spec/v\d+\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n(?:.*\n)*?size (\d+)"
)
_MOST_POINTER = 1024


def listing(model: Dict[str, Any], access: Access) -> List[HubFile]:
    """Return the files: large ones by their pointers, the others by git's own ids. Raises RefusedError."""
    _need_programs()
    folder = os.path.join(model["path"], PARTS)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    repository = os.path.join(folder, REPOSITORY)
    _fetch(model, repository, access)
    text = _git(model, repository, access, ["ls-tree", "-r", "-z", "-l", WANTED])
    files = []
    for row in filter(None, text.split("\0")):
        about, _, path = row.partition("\t")
        mode, kind, oid, size = about.split()
        if kind != "blob" or mode == "120000" or os.path.basename(path) == ".gitattributes":
            continue
        found = {"path": path, "size": int(size), "sha256": "", "git_sha1": oid if len(oid) == 40 else ""}
        pointer = _pointer(os.path.join(repository, path)) if int(size) < _MOST_POINTER else None
        if pointer:
            found.update(sha256=pointer[0], size=pointer[1], git_sha1="")
        files.append(found)
    if not files:
        raise RefusedError(f"{model['repo']}: revision {model['revision']} has no files, expected those of the model")
    return files


def download(model: Dict[str, Any], names: Sequence[str], stage: Stage, way: Way) -> None:
    """Bring the large files *names* (all without) through git-lfs, and the small ones from git. Raises RefusedError."""
    repository = os.path.join(stage.path, REPOSITORY)
    if not os.path.isdir(repository):  # a folder of parts that was cleared after the list was made
        listing(model, way.access)
    wanted = [entry for name, entry in stage.waiting.items() if not names or name in names]
    large = [entry for entry in wanted if entry["sha256"]]
    if large:
        include = [f"--include={','.join(entry['path'] for entry in large)}"] if names else []
        given = _environment(model["repo"], repository, way.access)
        argv = ["git", "-C", repository, "lfs", "fetch", *include, "origin", WANTED]
        fault, log = run(Client(model, argv, given), _Store(stage, repository, large), way)
        if fault:
            raise RefusedError(
                f"{model['repo']}: git lfs fetch {fault}. What has arrived in {stage.path} is kept, run again to go "
                f"on; a token stands in site.yml (tokens.git). It ({log}) ends with:\n{tail(log)}"
            )
    for entry in wanted:
        source = _stored(repository, entry) if entry["sha256"] else inside(repository, entry["path"])
        if source and os.path.isfile(source):
            _link(source, os.path.join(stage.path, entry["path"]))


class _Store(Stage):
    """The folder of parts while git-lfs works: what is whole in its store is offered at once."""

    def __init__(self, stage: Stage, repository: str, large: List[HubFile]) -> None:
        self.folder, self.path, self.waiting = stage.folder, stage.path, stage.waiting
        self.good, self.faults, self._seen = stage.good, stage.faults, {}
        self._repository, self._large = repository, large

    def take(self, final: bool = False) -> None:
        for entry in self._large:
            source = _stored(self._repository, entry)
            if entry["path"] in self.waiting and os.path.isfile(source):
                _link(source, os.path.join(self.path, entry["path"]))
        super().take(final)


def _fetch(model: Dict[str, Any], repository: str, access: Access) -> None:
    """Bring the revision without its large files, and check it out as pointers."""
    if not os.path.isdir(os.path.join(repository, ".git")):
        shutil.rmtree(repository, ignore_errors=True)
        os.makedirs(repository, mode=0o755)
        _git(model, repository, access, ["init", "--quiet"])
        _git(model, repository, access, ["remote", "add", "origin", model["repo"]])
    revision = model["revision"] or "HEAD"
    _git(model, repository, access, ["remote", "set-url", "origin", model["repo"]])
    try:
        _git(model, repository, access, ["fetch", "--quiet", "--depth", "1", "origin", revision])
        found = "FETCH_HEAD"
    except RefusedError:  # not every server gives out a commit that is no branch: then the history has to come along
        _git(model, repository, access, ["fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"])
        found = revision + "^{commit}"
    _git(model, repository, access, ["update-ref", WANTED, found])
    _git(model, repository, access, ["checkout", "--quiet", "--force", "--detach", WANTED])


def _git(model: Dict[str, Any], repository: str, access: Access, words: List[str]) -> str:
    given = _environment(model["repo"], repository, access)
    code, text = execute(["git", "-C", repository, *words], GIT_SECONDS, given)
    if code != 0:
        told = "was ended after its time" if code is None else f"ended with code {code}"
        raise RefusedError(
            f"{model['repo']}: git {words[0]} {told}: {text.strip()[-600:]}. Look at sources.git of the catalog (url, "
            f"revision {model['revision'] or 'HEAD'}), and at the token (site.yml: tokens.git), if it wants one."
        )
    return text


def _environment(repo: str, repository: str, access: Access) -> Dict[str, str]:
    """Return what keeps git from asking, from smudging, and from reading the settings of an account."""
    given = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_CONFIG_NOSYSTEM": "1", "HOME": repository}
    if access.token:
        program = os.path.join(os.path.dirname(repository), ".git-ask")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(program)
        with open(os.open(program, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "w", encoding="ascii") as target:
            target.write(ASK)
        server = urlsplit(repo).netloc.rpartition("@")[2]
        given.update({"GIT_ASKPASS": program, TOKEN: access.token, SERVER: server})
    return given


def _need_programs() -> None:
    for argv, package in ((["git", "--version"], "git"), (["git", "lfs", "version"], "git-lfs")):
        code, _ = answer(argv, 30.0)
        if code != 0:
            raise RefusedError(
                f'"{" ".join(argv)}" ended with code {code} on {os.uname().nodename}, expected the package {package}, '
                "which the source git needs on the host that fetches. Install it there, or write models[].fetch: "
                "controller into site.yml and install it on the controller."
            )


def _pointer(path: str) -> "Tuple[str, int] | None":
    try:
        with open(path, "rb") as source:
            found = _POINTER.match(source.read(_MOST_POINTER))
    except OSError:
        return None
    return (found.group(1).decode(), int(found.group(2))) if found else None


def _stored(repository: str, entry: HubFile) -> str:
    oid = entry["sha256"]
    return os.path.join(repository, ".git", "lfs", "objects", oid[:2], oid[2:4], oid)


def _link(source: str, target: str) -> None:
    if os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target + ".part")
        os.replace(target + ".part", target)
