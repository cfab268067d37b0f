"""The folder of one run, the time of its stages, and the runs that are kept."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from driver import paths
from driver.errors import UsageError

KEPT_RUNS = 50
REPORT = "report.json"


@dataclass(slots=True)
class Stage:
    """One part of a run and how long it took, in seconds; None while it is going on or when it was cut off."""

    name: str
    seconds: float | None = None


@dataclass(slots=True)
class Run:
    """One run of a verb: its id, its private folder and what has happened so far."""

    id: str
    verb: str
    site: str
    folder: Path
    started: str
    began: float
    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a part of the run; one that is cut off by an error keeps the time until then."""
        stage = Stage(name)
        self.stages.append(stage)
        began = time.monotonic()
        try:
            yield
        finally:
            stage.seconds = round(time.monotonic() - began, 2)

    def elapsed(self) -> float:
        """Return the seconds since the run began."""
        return round(time.monotonic() - self.began, 2)

    def file(self, name: str) -> Path:
        """Return the path of one of its files."""
        return self.folder / name


def start(verb: str, site: str) -> Run:
    """Make the folder of a new run, readable by its owner only, and drop the oldest ones beyond KEPT_RUNS.

    Raises UsageError when it cannot be made.
    """
    top = paths.runs_dir()
    try:
        top.mkdir(parents=True, exist_ok=True)
        return _start(top, verb, site)
    except OSError as error:
        raise UsageError(
            f"{paths.shown(top)}: found no folder that takes a run ({error.strerror}); expected one that you may "
            "write; correct it, or name another one in PROVISION_RUNS"
        ) from error


def _start(top: Path, verb: str, site: str) -> Run:
    now = datetime.now(UTC)
    wish = f"{now:%Y%m%dT%H%M%SZ}-{verb}"
    for name in (wish, *(f"{wish}-{number}" for number in range(2, 100))):
        folder = top / name
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        _forget_old(top, folder)
        return Run(name, verb, site, folder, now.isoformat(timespec="seconds"), time.monotonic())
    raise UsageError(f"{paths.shown(top)}: a hundred runs of `{verb}` within one second; expected one. Stop them.")


def _forget_old(top: Path, new: Path) -> None:
    for folder in folders(top)[KEPT_RUNS:]:
        if folder != new:
            shutil.rmtree(folder, ignore_errors=True)


def folders(top: Path | None = None) -> list[Path]:
    """Return the folders of all runs, newest first; their names begin with the time."""
    top = top or paths.runs_dir()
    if not top.is_dir():
        return []
    return sorted((path for path in top.iterdir() if path.is_dir() and path.name[:8].isdigit()), reverse=True)


def find(name: str | None, site: str | None = None) -> Path:
    """Return the folder of run *name* (its id, or a unique part of it), or of the newest run that has a report."""
    reported = [folder for folder in folders() if (folder / REPORT).is_file()]
    if site is not None:
        reported = [folder for folder in reported if read(folder).get("site") == site]
    chosen = [folder for folder in reported if name is None or name in folder.name]
    if not chosen:
        known = ", ".join(folder.name for folder in reported[:5]) or "none yet"
        wanted = " ".join(part for part in ("no run", name, f"of site {site}" if site else "", "with a report") if part)
        raise UsageError(f"{paths.shown(paths.runs_dir())}: {wanted}; the newest are: {known}")
    return chosen[0]


def read(folder: Path) -> dict[str, Any]:
    """Return the report of a run, empty when it has none that can be read."""
    try:
        document = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def seconds_of_roles(site: str, looked_at: int = 10) -> dict[str, float]:
    """Return what each role took on the slowest host, from the newest of the last runs that played it."""
    known: dict[str, float] = {}
    for folder in folders()[:looked_at]:
        report = read(folder)
        if report.get("site") != site:
            continue
        for host in report.get("hosts", {}).values():
            for role, seconds in host.get("roles", {}).items():
                known[role] = max(known.get(role, 0.0), float(seconds))
    return known
