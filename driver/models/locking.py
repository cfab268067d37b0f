"""Write into site.lock what the models of a site are at their sources: the commit, and every file with its checksum."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import yaml

from driver import document as documents
from driver import paths, sitefile, yamlfile
from driver.errors import ProvisionError, SiteError
from driver.models.asking import PATIENT, Limits, listing, place
from driver.models.parts import Listing
from driver.resolved import ResolvedModel, ResolvedSite
from driver.vaults import Secrets

HEADER = "# Written by `provision lock`; later runs obey it. `provision lock --update` asks the sources again.\n"
KEPT, LOCKED, RENEWED, FAILED, LEFT = "kept", "locked", "renewed", "failed", "left to its host"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one model: *before* is the revision that was locked, *bytes* the size of all files together."""

    model: str
    source: str
    repo: str
    requested: str
    state: str
    revision: str = ""
    before: str = ""
    files: int = 0
    bytes: int = 0
    fault: str = ""

    def sentence(self) -> str:
        """Return the outcome as one line."""
        if self.fault:
            return f"{self.model}: {self.state}: {self.fault}"
        asked = f"{self.source} {self.repo}" + (f" at {self.requested}" if self.requested else "")
        moved = f", before {self.before}" if self.before and self.before != self.revision else ""
        return f"{self.model}: {self.state}: {asked} is {self.revision}{moved}: {self.files} files, {self.bytes} bytes"


def lock(
    site: ResolvedSite, *, update: bool = False, limits: Limits = PATIENT, only: Iterable[str] | None = None
) -> list[Outcome]:
    """Ask the sources of the models that are not locked, of all with *update*, and write what they say into site.lock.

    A source that fails changes nothing for its model. Raises SiteError when a secret is missing or the file cannot
    be written.
    """
    chosen = [model for model in site.models if only is None or model.name in only]
    secrets = Secrets(site.folder, site.secrets, site.vault.model_dump() if site.vault else None)
    asked = [model for model in chosen if model.listable and (update or not model.files)]
    places = [replace(place(model, secrets), revision=_revision(model, update)) for model in asked]
    own = replace(limits, ended=Event())
    with ThreadPoolExecutor(max(len(asked), 1)) as pool:
        try:
            found = list(pool.map(lambda where: _listed(where, own), places))
        except BaseException:  # Ctrl-C: the threads would wait for the sources first
            own.ended.set()
            raise
    answers = dict(zip((model.name for model in asked), found, strict=True))
    entries = {name: answer for name, answer in answers.items() if not isinstance(answer, str)}
    if entries:
        known = [model for model in asked if model.name in entries]
        models = {model.name: entry(model, entries[model.name]) for model in known}
        put(site.folder / paths.LOCK_FILE, {"models": models})
    return [_outcome(model, answers.get(model.name)) for model in chosen]


def _revision(model: ResolvedModel, update: bool) -> str:
    """Return what the source is asked for: a commit that is locked stays, also where its files are not known yet."""
    return model.revision if model.locked and model.requested and not update else model.requested


def _listed(where: Any, limits: Limits) -> Any:
    """Return the listing, or the text of the fault."""
    try:
        return listing(where, limits)
    except ProvisionError as error:
        return str(error)


def entry(model: ResolvedModel, found: Listing) -> dict[str, Any]:
    """Return *model* with the files that were found as site.lock has it."""
    return {
        "source": model.source,
        "repo": model.repo,
        "requested": model.requested,
        "revision": found.revision,
        "files": [file.as_lock() for file in found.files],
    }


def _outcome(model: ResolvedModel, found: Any) -> Outcome:
    before = model.revision if model.locked else ""
    outcome = Outcome(model.name, model.source, model.repo, model.requested, KEPT, model.revision, before)
    if isinstance(found, str):
        return replace(outcome, state=FAILED, fault=found)
    if found is None:
        files, state = model.files, KEPT if model.files else LEFT
        return replace(outcome, state=state, files=len(files), bytes=sum(file.size for file in files))
    state = RENEWED if model.locked and model.files else LOCKED
    total = sum(file.size for file in found.files)
    return replace(outcome, state=state, revision=found.revision, files=len(found.files), bytes=total)


def put(file: Path, parts: dict[str, dict[str, Any]]) -> None:
    """Put the entries of each of *parts* (models, images) into the lock; everything else in it stays.

    Comments that fill a line move to its top. Raises SiteError when it cannot be written, or could not be read later.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        with _alone(file):
            try:
                draft.write_text(_written(file, parts), encoding="utf-8")
                sitefile.parse_lock(draft)  # names and sums are as foreign programs told them
                draft.replace(file)
            except SiteError as error:
                raise SiteError(line.replace(draft.name, file.name) for line in error.lines) from error
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise SiteError(
            f"{paths.shown(file)}: cannot be written ({error.strerror}); expected a file of yours; correct its owner"
        ) from error


def _written(file: Path, parts: dict[str, dict[str, Any]]) -> str:
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    known = documents.read(file, yamlfile.MOST_OF_A_LOCK) if before else {}
    known |= {name: {**(known.get(name) or {}), **entries} for name, entries in parts.items()}
    comments = [f"{line.strip()}\n" for line in before.splitlines() if line.lstrip().startswith("#")]
    text = yaml.safe_dump(known, sort_keys=True, default_flow_style=None, width=1000, allow_unicode=True)
    return HEADER + "".join(line for line in comments if line != HEADER) + text


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Wait until no other run changes the same lock: what that one writes would be lost."""
    name = hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:16]
    with (paths.control_dir() / f"{name}.put.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def document(site: ResolvedSite, outcomes: list[Outcome]) -> dict[str, Any]:
    """Return what was done as plain data."""
    return {"site": site.name, "lock": str(site.folder / paths.LOCK_FILE), "models": [asdict(one) for one in outcomes]}
