"""The bench of moves: it measures what it says, in a network that is gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench.distribute import net, report
from tests.bench.distribute.lab import make_files
from tests.bench.distribute.measure import Result, run
from tests.bench.distribute.ours import Ours
from tests.bench.distribute.plot import draw
from tests.bench.distribute.torrent import encode

ROOT = Path(__file__).resolve().parents[3]
RATE = 200
RESULTS = [
    Result("ours", 1, 10, 1.06, 1.05, 0.2, 1.0, 1.1, 500),
    Result("ours", 2, 10, 1.07, 1.05, 0.2, 1.4, 1.1, 480),
    Result("other", 1, 11, 1.1, 1.05, 0.3, 2.0, 2.0, 300),
    Result("other", 2, 0, 0, 0, fault="hosts [2] were not done after 9 s"),
]


def namespaces() -> list[str]:
    return [name for name in net.present() if name.startswith(f"{net.PREFIX}-{os.getpid()}-")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")
def test_a_link_is_as_fast_as_it_is_said_to_be_and_goes_away(tmp_path: Path) -> None:
    files = make_files(tmp_path / "set", 3, 2_000_000)
    found = run(Ours(), 2, RATE, files, tmp_path)
    assert not found.fault
    assert 1.0 < found.time_ratio < 12, "never faster than the link"
    assert 1.03 < found.origin_ratio < 1.2, "the origin sends the files once, with headers"
    assert found.cpu_origin < found.cpu_first
    assert namespaces() == []
    assert [place.name for place in tmp_path.iterdir()] == ["set"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")
def test_a_bench_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.bench.distribute", "--hosts", "2", "--size", "200", "--rate", "20"]
    argv += ["--ways", "provision", "--folder", str(tmp_path), "--cpu-size", "0"]
    bench = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)
    mine = f"{net.PREFIX}-{bench.pid}-"
    limit = time.monotonic() + 60
    while not list(tmp_path.glob("*/run-*/2/status.json")) and time.monotonic() < limit:
        time.sleep(0.1)
    assert [name for name in net.present() if name.startswith(mine)]
    bench.send_signal(signal.SIGTERM)
    assert bench.wait(60) == 143
    assert not [name for name in net.present() if name.startswith(mine)]
    assert list(tmp_path.iterdir()) == []


def test_the_tables_hold_what_was_measured_and_say_what_failed() -> None:
    table = report.by_hosts(RESULTS).splitlines()
    assert table[0] == "| way | N=1 | N=2 |"
    assert table[2:] == ["| ours | 1.06 / 1.05 | 1.07 / 1.05 |", "| other | 1.10 / 1.05 | failed |"]
    assert "| ours | 0.20 | 1.10 | 1.40 | 500 |" in report.by_cpu(RESULTS)
    assert "| other | 0.30 | 2.00 | – | 300 |" in report.by_cpu(RESULTS)
    assert report.said(RESULTS) == "- other, N=2: hosts [2] were not done after 9 s"


def test_only_what_stands_between_the_marks_is_written(tmp_path: Path) -> None:
    document = tmp_path / "moving.md"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write(document, "new", RESULTS, "title")
    assert document.read_text() == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"
    assert ElementTree.parse(tmp_path / "moving.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own text
    document.write_text("no marks\n")
    with pytest.raises(SystemExit, match=r"moving\.md lacks the lines"):
        report.write(document, "new", RESULTS, "title")


def test_a_slower_way_is_drawn_higher() -> None:
    root = ElementTree.fromstring(draw({"a": [(1, 1.0), (16, 1.1)], "b & c": [(1, 1.0), (16, 16.0)]}, "t"))  # noqa: S314
    lines = [each.attrib["points"].split() for each in root.iter("{http://www.w3.org/2000/svg}polyline")]
    ends = [float(line[-1].split(",")[1]) for line in lines]
    assert ends[1] < ends[0], "y grows downwards"


def test_what_bittorrent_reads_is_written_as_it_wants_it() -> None:
    assert encode({"b": [1, "x"], "a": b"\0"}) == b"d1:a1:\x001:bli1e1:xee"
