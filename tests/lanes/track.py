"""Lanes that are played together as one site: what each step did, kept so that every lane can be judged by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.lab.site import lanes
from tests.situations import places
from tests.situations.host import MARK, ROOT, Host

from . import venvs

PLAIN = "pinned"
"""The track of the lanes that the pinned ansible-core can serve; the others are called after their series."""
WORKERS = 4
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call of the product: its exit code, its report, and what it printed."""

    code: int
    document: dict[str, Any]
    output: str

    def of(self, lane: str) -> dict[str, Any]:
        """Return what the report says about one host."""
        found: dict[str, Any] = self.document.get("hosts", {}).get(lane, {})
        return found


@dataclass(slots=True)
class Track:
    """A site with all lanes of one ansible-core. A lane that failed is left out of later steps and named by them."""

    name: str
    members: list[lanes.Lane]
    folder: Path
    interpreter: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    prints: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    red: dict[str, str] = field(default_factory=dict)

    @property
    def well(self) -> list[lanes.Lane]:
        """Return the lanes that nothing has gone wrong on."""
        return [lane for lane in self.members if lane.name not in self.red]

    def host(self, lane: lanes.Lane) -> Host:
        """Return the host of a lane."""
        return Host(places.lane_place(lane), self.folder / lane.name)

    def everywhere(self, work: Callable[[lanes.Lane], Any]) -> dict[str, Any]:
        """Do *work* on every lane that is well, some side by side; return the results by name."""
        well = self.well
        with ThreadPoolExecutor(WORKERS) as pool:
            return dict(zip([lane.name for lane in well], pool.map(work, well), strict=True))

    def once(self, step: str, *words: str) -> Outcome:
        """Run a verb for all lanes that are well, unless this step was run; return what came of it."""
        if step not in self.outcomes:
            self.outcomes[step] = self._provision(*words)
            self._log(step)
        return self.outcomes[step]

    def footprints(self, step: str, verb: str, name: str) -> None:
        """Take or compare footprints on all lanes, once per *step*."""
        if any(key[0] == step for key in self.prints):
            return
        for lane, found in self.everywhere(lambda lane: self.host(lane).footprint(verb, name)).items():
            self.prints[step, lane] = found

    def _provision(self, *words: str) -> Outcome:
        site = write_site(self.well, self.folder / "site")
        done = subprocess.run(
            [self.interpreter, "-m", "driver", "--inventory", str(site), *words, "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=HOUR,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PROVISION_RUNS": str(self.folder / "runs")},
        )
        try:
            document = json.loads(done.stdout)
        except ValueError:
            document = {}
        return Outcome(done.returncode, document, done.stdout[-20000:] + done.stderr[-20000:])

    def _log(self, step: str) -> None:
        outcome = self.outcomes[step]
        (self.folder / f"{step}.log").write_text(outcome.output, encoding="utf-8")


def write_site(members: list[lanes.Lane], folder: Path) -> Path:
    """Write one site with all *members*, each with its own package repository; return its folder."""
    layout, _ = places.lab()
    document = places.lab_site()
    mirrors = {key: value for key, value in document["mirrors"].items() if key not in ("apt", "rpm")}
    sources: dict[tuple[str, str], dict[str, Any]] = {}
    for lane in members:
        for kind, found in lane.site_mirrors(layout).items():
            for source in found:
                key = (kind, str(source.get("uri", source.get("baseurl"))))
                sources.setdefault(key, {**source, "hosts": []})["hosts"].append(lane.name)
    for number, ((kind, _), source) in enumerate(sources.items()):
        mirrors.setdefault(kind, []).append({**source, "name": f"lab{number}"})
    hosts = [lane.site_host() for lane in members]
    site = {**document, "hosts": hosts, "mirrors": mirrors, "models": [], "services": []}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.yml").write_text(yaml.safe_dump(site, sort_keys=False), encoding="utf-8")
    return folder


def tracks(members: list[lanes.Lane]) -> dict[str, Track]:
    """Return the tracks that *members* make, by name."""
    layout, _ = places.lab()
    found: dict[str, Track] = {}
    for lane in members:
        name = lane.ansible_core or PLAIN
        if name not in found:
            folder = layout.root / "lanes" / name
            folder.mkdir(parents=True, exist_ok=True)
            python = sys.executable if name == PLAIN else str(venvs.python(layout, name))
            found[name] = Track(name, [], folder, python)
        found[name].members.append(lane)
    return found


def make_bare(track: Track) -> None:
    """Make every host of the track anew, with quick stand-ins."""

    def fresh(lane: lanes.Lane) -> None:
        host = track.host(lane)
        host.fresh()
        host.shell(f"rm -f {MARK}")

    track.everywhere(fresh)
