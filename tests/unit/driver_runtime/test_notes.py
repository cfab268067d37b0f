"""What hosts had to do otherwise while they moved files is said, though the run ends well."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from driver import events
from driver.board import Board, Report
from driver.progress import Drawn, Lines

NOTE = "node1 sent a file with another sha256: model-00007; it is not asked again"


def raw(result: dict[str, Any], kind: str = "runner_on_ok") -> dict[str, Any]:
    data = {"host": "node3", "role": "model_store", "task": "Bring the models", "duration": 2.0, "res": result}
    return {"event": kind, "created": "2026-11-20T10:00:00+00:00", "event_data": data}


@pytest.mark.parametrize(
    ("result", "notes"),
    [
        ({"changed": True, "fetched": [{"name": "m", "notes": [NOTE, NOTE]}]}, (NOTE,)),
        ({"changed": True, "results": [{"moved": [{"name": "i", "notes": [NOTE]}]}, {"skipped": True}]}, (NOTE,)),
        ({"changed": True, "fetched": [{"name": "m"}], "warnings": ["shared out anew"]}, ("shared out anew",)),
        ({"changed": True, "warnings": ["of some other module"]}, ()),
        ({"changed": True, "files": {"i": {"moved": 5}}, "moved": 5}, ()),
        ({"changed": False, "results": None, "fetched": None}, ()),
    ],
)
def test_notes_are_those_of_modules_that_move_files(result: dict[str, Any], notes: tuple[str, ...]) -> None:
    event = events.compact(raw(result))
    assert event is not None
    assert event.notes == notes
    assert json.loads(event.line()).get("notes", []) == list(notes)


def test_a_note_is_written_behind_its_step() -> None:
    event = events.compact(raw({"changed": True, "fetched": [{"name": "m", "notes": [NOTE]}]}))
    assert event is not None
    out = io.StringIO()
    Lines(Board(["node3"]), out).event(event)
    lines = out.getvalue().splitlines()
    assert lines[0].endswith("node3: model_store: Bring the models: changed (2.0 s)")
    assert lines[1].endswith(f"node3: {NOTE}")


def test_a_note_stays_on_the_screen() -> None:
    event = events.compact(raw({"changed": True, "fetched": [{"name": "m", "notes": [NOTE]}]}))
    assert event is not None
    out = io.StringIO()
    Drawn(Board(["node3"]), out).event(event)
    assert "node1 sent a file" in out.getvalue()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_hosts_that_move_files_are_added_up_with_rate_and_remaining_time() -> None:
    clock = Clock()
    board = Board(("node1", "node2", "node3"), clock)
    out = io.StringIO()
    lines = Lines(board, out)
    for host in ("node1", "node2"):
        board.take(events.Event("runner_on_start", 1.0, host, "", "model_store", "Bring"))
        board.reported(host, [Report("f", "receive wide from node1", 0, 1_000_000_000)])
    clock.now += 20
    board.reported("node1", [Report("f", "receive wide from node3", 400_000_000, 1_000_000_000)])
    assert board.together() == "2 hosts: 400.0 MB of 2.0 GB (20 %) at 20.0 MB/s, 1 min 20 s left"
    lines.tick()
    node1, node2, both = out.getvalue().splitlines()
    assert node1.endswith("400.0 MB of 1.0 GB (40 %) at 20.0 MB/s, 30 s left, receive wide from node3")
    assert node2.endswith("0 B of 1.0 GB (0 %), receive wide from node1")
    assert both.endswith("] 2 hosts: 400.0 MB of 2.0 GB (20 %) at 20.0 MB/s, 1 min 20 s left")


def test_one_host_alone_has_no_sum_and_what_is_done_has_no_time_left() -> None:
    clock = Clock()
    board = Board(("node1", "node2"), clock)
    board.reported("node1", [Report("f", "receive wide", 0, 100)])
    clock.now += 2
    board.reported("node1", [Report("f", "receive wide", 100, 100)])
    board.reported("node2", [Report("g", "no size is known", 0, 0)])
    assert board.together() == ""
    assert [each.text() for each in board.lines["node1"].moving.values()] == [
        "100 B of 100 B (100 %) at 50 B/s, receive wide"
    ]
