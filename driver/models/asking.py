"""Ask the source of a model: start the process that speaks to it, watch it, and say in full what went wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from driver import paths
from driver.errors import TaskFailed
from driver.models.parts import File, Listing, Place, SourceError, set_id
from driver.resolved import ResolvedModel
from driver.scrub import scrub
from driver.vaults import PREFIX, Secrets

MODULES = {"path": "folder"}
"""Modules of driver/models by source, where the two are called differently."""
PROGRAMS = ("git", "git-lfs")
CACHE_VARIABLE = "PROVISION_CACHE"
_ENDPOINTS = {"huggingface": "HF_ENDPOINT", "modelscope": "MODELSCOPE_ENDPOINT", "openmind": "OPENMIND_HUB_ENDPOINT"}
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODELSCOPE_API_TOKEN")
LIST_SECONDS = 300.0
STALL_SECONDS = 300.0
LOOK_SECONDS = 0.5
END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a source may take: to list, and to bring nothing; *ended* ends a listing at once."""

    list_seconds: float = LIST_SECONDS
    stall_seconds: float = STALL_SECONDS
    ended: Event = field(default_factory=Event, compare=False)


class SourceFailed(TaskFailed):
    """A source did not list or bring a model; *kind* is that of driver/models/parts.py."""

    def __init__(self, kind: str, text: str) -> None:
        """Keep both."""
        super().__init__(text)
        self.kind = kind


def cache() -> Path:
    """Return the folder of this machine's cache: $PROVISION_CACHE, or ~/.cache/provision."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache/provision").expanduser().absolute()


def place(model: ResolvedModel, secrets: Secrets | None) -> Place:
    """Return where *model* is, with what its source is asked with; raises SiteError when a secret is missing."""
    found: dict[str, str] = {}
    wanted = secrets.wanted if secrets else {}
    names = {"token": f"TOKENS_{model.source.upper()}"}
    if model.source == "obs":
        names = {"access_key": "OBSUTIL_ACCESS_KEY", "secret_key": "OBSUTIL_SECRET_KEY"}
    for key, name in names.items():
        if secrets and name in wanted:
            found[key] = secrets.value(name)
    endpoint = model.endpoint or os.environ.get(_ENDPOINTS.get(model.source, ""), "")
    return Place(model.source, model.repo, model.revision, endpoint.rstrip("/"), str(cache() / "clients"), found)


PATIENT = Limits()


def listing(where: Place, limits: Limits = PATIENT) -> Listing:
    """Return the files of the model; raises SourceFailed."""
    answer = _ask({"verb": "list"}, where, limits.list_seconds, None, limits.ended)
    files = tuple(File(**entry) for entry in answer["files"])
    return Listing(answer["revision"] or set_id(files), files)


def bring(
    where: Place,
    files: tuple[File, ...],
    folder: Path,
    limits: Limits = PATIENT,
    moved: Callable[[int], None] | None = None,
) -> tuple[File, ...]:
    """Have *files* in *folder*, compared; return them with their sha256. *moved* hears the bytes that are there.

    Raises SourceFailed; what has arrived stays, and the next call continues it.
    """
    own = replace(where, cache=str(folder.parent / f"{folder.name}.client"))
    watched = _Watched((folder, Path(own.cache)), moved, limits.stall_seconds)
    job = {"verb": "fetch", "files": [asdict(file) for file in files], "folder": str(folder)}
    answer = _ask(job, own, None, watched)
    return tuple(File(**entry) for entry in answer["files"])


@dataclass(slots=True)
class _Watched:
    """The folders that a download grows in: what stands still for *limit* seconds is ended."""

    folders: tuple[Path, ...]
    moved: Callable[[int], None] | None
    limit: float
    have: int = -1
    since: float = 0.0

    def stalled(self) -> bool:
        """Look at the folders; return whether nothing has come for too long."""
        present, now = sum(map(bytes_below, self.folders)), time.monotonic()
        if present != self.have:
            self.have, self.since = present, now
            if self.moved:
                self.moved(bytes_below(self.folders[0]))
        return now - self.since > self.limit


def bytes_below(folder: Path) -> int:
    """Return how many bytes the files below *folder* take on the disk."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # a client renames its unfinished files
                total += os.lstat(f"{where}/{name}").st_blocks * 512
    return total


def _ask(
    job: dict[str, Any], where: Place, seconds: float | None, watched: _Watched | None, ended: Event | None = None
) -> dict[str, Any]:
    try:
        Path(where.cache).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failed(where, SourceError("room", f"{where.cache}: {error.strerror}")) from error
    text = json.dumps({**job, "module": MODULES.get(where.source, where.source), "place": asdict(where)})
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "driver.models.program"],  # -P: what lies in the cache is no module of ours
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(where),
        cwd=where.cache,
        start_new_session=True,
    ) as process:
        try:
            out, limited = _watch(process, text.encode(), seconds, watched, ended)
        finally:
            _end(process)
    if limited:
        raise failed(where, SourceError("unreachable", limited))
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        raise failed(where, SourceError("failed", f"its client ended with code {process.returncode}")) from None
    if "fault" in answer:
        raise failed(where, SourceError(answer["fault"], answer["text"]))
    return answer


def _watch(
    process: subprocess.Popen[bytes],
    given: bytes,
    seconds: float | None,
    watched: _Watched | None,
    ended: Event | None,
) -> tuple[bytes, str]:
    """Follow the process to its end; return what it said, and why it had to be ended, "" when it ended by itself."""
    limit = time.monotonic() + seconds if seconds else None
    first: bytes | None = given
    while True:
        try:
            out, _ = process.communicate(first, timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            first = None  # Python keeps what is not written yet
            if ended and ended.is_set():
                return b"", "stopped"
            if limit and time.monotonic() > limit:
                return b"", f"no answer within {seconds:.0f} s"
            if watched and watched.stalled():
                return b"", f"brought nothing for {watched.limit:.0f} s"
        else:
            return out, ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and the clients that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)


def _environment(where: Place) -> dict[str, str]:
    """Return the environment of the clients: this one without secrets, and a home of their own."""
    kept = {name: value for name, value in os.environ.items() if name not in _TOKENS and not name.startswith(PREFIX)}
    home = where.cache
    own = {
        "PYTHONPATH": str(paths.ROOT),
        "HF_HOME": f"{home}/huggingface",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "MODELSCOPE_HOME": f"{home}/modelscope-home",
        "MODELSCOPE_CACHE": f"{home}/modelscope-cache",
        "XDG_CACHE_HOME": home,
        "OM_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    return {**kept, **own}


def _install(client: str) -> str:
    if client in PROGRAMS:
        return f"install the package {client} of this machine's distribution"
    return f"install it: make setup (requirements-fetch.txt has {client})"


def failed(where: Place, fault: SourceError) -> SourceFailed:
    """Return the fault of a source with what was expected and what to do."""
    what = f"{where.source} {where.repo}" + (f" at {where.revision}" if where.revision else "")
    said = scrub(str(fault)) or "nothing"
    token = f"tokens.{where.source}" if where.source != "obs" else "obsutil.access_key and obsutil.secret_key"
    renew = "renew it where it is kept" if where.secrets else f"name one in site.yml: {token}: {{env: NAME}}"
    hub = where.endpoint or "its public address"
    expected, advice = {
        "refused": ("a token that may read it", f"{renew} ({token})"),
        "absent": (
            "the files of the model",
            "correct models.source or models.from in site.yml, or the catalog's sources",
        ),
        "unreachable": (f"an answer of {hub}", "look whether this machine reaches it, or name a mirror (mirrors.hub)"),
        "spoilt": ("what its own checksums say", "look at the mirror; what was right so far is kept, run again"),
        "room": (f"room for the model in {where.cache}", f"make room, or set {CACHE_VARIABLE} to another folder"),
        "client": ("its client on this machine", _install(said)),
    }.get(fault.kind, ("the files of the model", "look at the source; what has arrived is kept, run again"))
    found = f"no {said} here" if fault.kind == "client" else said
    return SourceFailed(fault.kind, f"{what}: {found}; expected {expected}; {advice}")
