"""One set of files to N hosts, way by way: `python -m tests.bench.distribute [--hosts 1 2 4 8 16] [--write]`.

Every host is a network namespace whose link is shaped both ways; files lie in memory, so that no disk is measured. Time
is counted from when the hosts are told until all of them have verified their files; servers run before. Needs root.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from . import report
from .lab import FileSet, make_files
from .measure import Result, run
from .ours import FAULTS, Encrypted, Ours
from .ways import ALL, Way

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs/moving.md"
WAYS: tuple[type[Way], ...] = (Ours, *ALL)


def main() -> int:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(prog="bench-distribute", description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 2, 4, 8, 16], metavar="N", help="numbers of hosts")
    parser.add_argument("--rate", type=int, default=100, metavar="MBIT", help="every link, each way")
    parser.add_argument("--files", type=int, default=16, metavar="N", help="files of the set")
    parser.add_argument("--size", type=int, default=128, metavar="MB", help="the whole set")
    parser.add_argument("--cpu-size", type=int, default=1024, metavar="MB", help="the set on links that are not shaped")
    parser.add_argument("--fault-hosts", type=int, default=8, metavar="N", help="hosts where something is done to them")
    parser.add_argument("--ways", nargs="+", default=[], metavar="WORD", help="only ways whose name has one of these")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="where the files of all hosts lie")
    parser.add_argument("--write", action="store_true", help=f"write the numbers into {DOCUMENT.relative_to(ROOT)}")
    parser.add_argument("--remark", default="", help="a sentence on what else the machine did meanwhile")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.stderr.write("bench-distribute: makes network namespaces and shapes their links; run it as root\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is removed then, too
    folder = Path(tempfile.mkdtemp(prefix="bench-distribute-", dir=options.folder))
    began = time.monotonic()
    try:
        results = list(shaped(options, folder))
        faults = list(struck(options, folder))
        used = list(unshaped(options, folder))
    finally:
        shutil.rmtree(folder)
    text = words(options, results, faults, used, time.monotonic() - began)
    sys.stdout.write(text + "\n")
    if options.write:
        title = f"time over (size / link rate), {options.size} MB at {options.rate} Mbit/s"
        report.write(DOCUMENT, text, results, title)
    return 1 if any(found.fault for found in (*results, *faults, *used)) else 0


def chosen(options: argparse.Namespace) -> Iterator[type[Way]]:
    """Yield the ways that are asked for and can be run here."""
    for way in WAYS:
        if options.ways and not any(word in way.name for word in options.ways):
            continue
        lacking = way().lacking()
        if lacking:
            sys.stderr.write(f"bench-distribute: {way.name} is left out, this machine lacks {lacking}\n")
        else:
            yield way


def shaped(options: argparse.Namespace, folder: Path) -> Iterator[Result]:
    """Measure every way for every number of hosts."""
    files = the_files(options, folder, options.size)
    for way in chosen(options):
        for hosts in options.hosts:
            yield told(run(way(), hosts, options.rate, files, folder))


def struck(options: argparse.Namespace, folder: Path) -> Iterator[Result]:
    """Measure our engine while something goes wrong."""
    if any(way is Ours for way in chosen(options)) and options.fault_hosts:
        files = the_files(options, folder, options.size)
        for way in FAULTS:
            yield told(run(way(), options.fault_hosts, options.rate, files, folder))


def unshaped(options: argparse.Namespace, folder: Path) -> Iterator[Result]:
    """Measure every way with links as fast as the machine."""
    if options.cpu_size:
        files = the_files(options, folder, options.cpu_size)
        for way in chosen(options):
            for each in (way, Encrypted) if way is Ours else (way,):
                for hosts in (1, 2):
                    yield told(run(each(), hosts, 0, files, folder))


def the_files(options: argparse.Namespace, folder: Path, megabytes: int) -> FileSet:
    """Return the set of *megabytes*; made once."""
    place = folder / f"set-{megabytes}"
    shutil.rmtree(place, ignore_errors=True)
    return make_files(place, options.files, megabytes * 1_000_000 // options.files)


def told(found: Result) -> Result:
    """Say on stderr what was measured."""
    what = found.fault or (
        f"{found.seconds:.2f} s, time {found.time_ratio:.3f}, origin {found.origin_ratio:.3f}, processor s/GB: "
        f"origin {found.cpu_origin:.2f}, first {found.cpu_first:.2f}, last {found.cpu_last:.2f}"
    )
    sys.stderr.write(f"bench-distribute: {found.way}, N={found.hosts}: {what}\n")
    return found


def words(
    options: argparse.Namespace, results: list[Result], faults: list[Result], used: list[Result], seconds: float
) -> str:
    """Return what goes into the document."""
    load = os.getloadavg()[2]
    parts = [
        f"Taken {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC on {report.machine()} in {seconds / 60:.0f} "
        f"minutes, load average {load:.1f}: {options.files} files, together {options.size} MB, every link "
        f"{options.rate} Mbit/s each way. {options.remark}".strip(),
        "Time over (size / link rate), after the stroke what left the origin over size (on the wire, with headers):",
        report.by_hosts(results),
        "![time over the number of hosts](moving.svg)" if results else "",
        "The same while something goes wrong:" if faults else "",
        report.by_hosts(faults) if faults else "",
        f"Processor seconds per GB on links that are not shaped ({options.cpu_size} MB):" if used else "",
        report.by_cpu(used) if used else "",
        report.said([*results, *faults, *used]),
    ]
    return "\n\n".join(part for part in parts if part)


if __name__ == "__main__":
    sys.exit(main())
