"""Progress: events become a board of hosts, the board becomes lines, and failures become something to read."""

from __future__ import annotations

import io
from typing import Any

from driver.act import left
from driver.board import Board, Report
from driver.events import Event, Failure, compact
from driver.progress import HEARTBEAT_SECONDS, Drawn, Lines, reports
from driver.tally import Tally

START = Event("runner_on_start", 100.0, "node1", "Play", "model_store", "Fetch the model")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def board_of(*hosts: str) -> tuple[Board, Clock]:
    clock = Clock()
    return Board(hosts, clock), clock


def test_a_long_task_gives_a_sign_of_life_with_its_bytes() -> None:
    board, clock = board_of("node1")
    out = io.StringIO()
    lines = Lines(board, out)
    board.take(START)
    lines.event(START)
    clock.now += 5
    board.reported("node1", [Report("f", "weights", 100_000_000, 1_000_000_000)])
    lines.tick()
    assert "still" not in out.getvalue()
    clock.now += HEARTBEAT_SECONDS - 5
    board.reported("node1", [Report("f", "weights", 300_000_000, 1_000_000_000)])
    lines.tick()
    step = "node1: still model_store: Fetch the model (15 s)"
    assert out.getvalue().splitlines() == [
        "[   0.0 s] node1: model_store: started",
        f"[  15.0 s] {step}; 300.0 MB of 1.0 GB (30 %) at 20.0 MB/s, 35 s left, weights",
    ]


def test_changes_and_failures_are_lines_and_the_rest_is_silent() -> None:
    board, _ = board_of("node1")
    out = io.StringIO()
    lines = Lines(board, out)
    for kind, more in (
        ("runner_on_ok", {}),
        ("runner_on_ok", {"changed": True, "took": 2.0}),
        ("runner_on_failed", {"message": "no\nroom"}),
    ):
        event = Event(kind, 1.0, "node1", "", "r", "T", **more)  # type: ignore[arg-type]
        board.take(event)
        lines.event(event)
    assert out.getvalue().splitlines() == [
        "[   0.0 s] node1: r: T: changed (2.0 s)",
        "[   0.0 s] node1: r: T: failed: no",
    ]
    assert board.lines["node1"].state == "failed"


def test_a_terminal_is_drawn_with_every_host() -> None:
    board, _ = board_of("node1", "node2")
    out = io.StringIO()
    drawn = Drawn(board, out)
    board.take(START)
    board.reported("node1", [Report("f", "weights", 1, 2)])
    with drawn.opened():
        drawn.event(START)
        drawn.tick()
    assert "Fetch the model" in out.getvalue()
    assert "node2" in out.getvalue()


def test_what_is_left_after_a_stop_names_every_host() -> None:
    board, _ = board_of("node1", "node2")
    board.take(START)
    text = left(board)
    assert "node1: was at model_store: Fetch the model" in text
    assert "node2: had not begun" in text


def test_reports_that_are_half_written_are_left_out() -> None:
    text = 'a.json {"what": "a\\u001b[36mb", "done_bytes": 5, "total_bytes": 10}\nb.json {"what": "b", "done\nc []\nd\n'
    assert reports(text) == [Report("a.json", "ab", 5, 10)]


def test_a_step_that_is_no_longer_reported_has_ended() -> None:
    board, clock = board_of("node1")
    board.reported("node1", [Report("f", "first line of the log", 0, 0)])
    clock.now += 3
    board.reported("node1", [Report("f", "second line", 0, 0)])
    assert [moving.text() for moving in board.lines["node1"].moving.values()] == ["second line"]
    board.reported("node1", [])
    assert board.lines["node1"].moving == {}


def raw(event: str, **data: Any) -> dict[str, Any]:
    return {
        "event": event,
        "created": "2026-01-01T00:00:10+00:00",
        "event_data": {"host": "node1", "role": "r", "task": "T", **data},
    }


def test_an_event_without_a_result_is_understood() -> None:
    found = compact(raw("runner_on_failed"))
    assert found is not None
    assert found.message == "the task failed and gave no reason"
    assert compact({"event": "verbose"}) is None


def test_a_failed_command_says_code_command_and_its_last_words() -> None:
    result = {
        "msg": "non-zero return code",
        "rc": 1,
        "cmd": ["install", "--password=hunter2"],
        "stderr": "disk full",
        "log_tail": ["a", "b"],
    }
    found = compact(raw("runner_on_failed", res=result))
    assert found is not None
    assert found.message == "non-zero return code (rc 1: install --password=…)"
    assert (found.details, found.log_tail) == ("disk full", "a\nb")


def test_failed_items_of_a_loop_speak_for_it() -> None:
    result = {
        "msg": "One or more items failed",
        "results": [{"failed": False}, {"failed": True, "msg": "no such image"}],
    }
    found = compact(raw("runner_on_failed", res=result))
    assert found is not None
    assert found.message == "no such image"


def test_a_failure_that_was_rescued_is_none() -> None:
    tally = Tally()
    tally.add(Event("runner_on_failed", 1.0, "node1", "", "r", "T", message="first"))
    tally.add(Event("playbook_on_stats", 2.0, stats={"failures": {}, "dark": {}, "rescued": {"node1": 1}}))
    assert tally.failures == []


def test_times_are_kept_by_host_and_role() -> None:
    tally = Tally()
    tally.add(Event("runner_on_start", 10.0, "node1", "", "r", "T"))
    tally.add(Event("runner_on_ok", 14.5, "node1", "", "r", "T", took=4.5))
    assert tally.seconds_by_role() == {"node1": {"r": 4.5}}
    assert tally.slowest() == [("r: T", 4.5)]


def test_tasks_that_changed_something_are_kept_by_host_and_role() -> None:
    tally = Tally()
    for role, task, changed in (
        ("r", "One", True),
        ("r", "Two", False),
        ("", "Reboot the host", True),
        ("r", "One", True),
    ):
        tally.add(Event("runner_on_ok", 1.0, "node1", "", role, task, changed=changed))
    assert tally.changed_by_role() == {"node1": {"r": ["One"], "playbook": ["Reboot the host"]}}


def test_a_failure_shows_five_lines_and_the_log() -> None:
    text = Failure("node1", "r", "T", "\n".join(map(str, range(9))), "said", "tail").text("all.log")
    message = [f"  {number}" for number in range(4, 9)]
    rest = ["  said", "  last lines of the log:", "    tail", "  everything: all.log"]
    assert text.splitlines() == ["node1: r: T", *message, *rest]
