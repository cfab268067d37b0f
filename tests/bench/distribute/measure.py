"""Runs one way once and measures it: time, what left the origin, processor time."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from .lab import FileSet, Lab
from .net import Net
from .ways import Way

SETTLE_SECONDS = 1.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Result:
    """What one run gave. Ratios are to the size of the set, and to the time that the link needs for it once."""

    way: str
    hosts: int
    seconds: float
    time_ratio: float
    origin_ratio: float
    cpu_origin: float = 0.0
    cpu_first: float = 0.0
    cpu_last: float = 0.0
    speed: float = 0.0
    notes: tuple[str, ...] = field(default_factory=tuple)
    fault: str = ""


def run(way: Way, hosts: int, rate_mbit: int, files: FileSet, folder: Path) -> Result:
    """Move *files* to *hosts* hosts; a way that fails or takes too long has a fault instead of numbers."""
    ideal = files.size * 8 / (rate_mbit * 1e6) if rate_mbit else 0.0
    root = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    with Net(hosts, rate_mbit) as net, Lab(net, files, root) as lab:
        try:
            seconds, sent = _race(way, lab, (hosts * 1.6 + 3) * ideal + 60)
            wrong = [number for number in lab.hosts() if not lab.whole(number)]
            if wrong:
                raise RuntimeError(f"hosts {wrong} say that they are done and have not the right files")
        except RuntimeError as error:
            return Result(way.name, hosts, 0, 0, 0, fault=str(error))
        notes = tuple(getattr(way, "notes", lambda _: [])(lab))
        lab.end()
        gigabytes = files.size / 1e9
        return Result(
            way.name, hosts, seconds, seconds / ideal if ideal else 0, sent / files.size,
            *(lab.cpu(number) / gigabytes for number in (0, 1, hosts)), files.size / 1e6 / seconds, notes,
        )  # fmt: skip


def _race(way: Way, lab: Lab, limit_seconds: float) -> tuple[float, int]:
    """Return the seconds until every host had verified its files, and the bytes that the origin sent meanwhile."""
    way.prepare(lab)
    time.sleep(SETTLE_SECONDS)
    for process in lab.processes:
        process.mark()
    before = lab.net.sent_bytes(0)
    began = time.monotonic()
    for number in lab.hosts():
        way.begin(lab, number)
    while True:
        waiting = [number for number in lab.hosts() if not way.done(lab, number)]
        seconds = time.monotonic() - began
        if not waiting:
            return seconds, lab.net.sent_bytes(0) - before
        if seconds > limit_seconds:
            raise RuntimeError(f"hosts {waiting} were not done after {limit_seconds:.0f} s")
        time.sleep(POLL_SECONDS)
