"""Run a playbook for a site and show it while it runs."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from driver import paths
from driver.board import Board
from driver.errors import ProvisionError, TaskFailed, Unreachable
from driver.events import Event
from driver.fleet import Fleet
from driver.progress import TICK_SECONDS, Drawn, Lines, Poller, shown
from driver.runs import Run
from driver.terminal import Terminal
from driver.units import duration

if TYPE_CHECKING:
    from driver.request import Request
    from driver.runner import Running, RunResult


class RunStoppedError(ProvisionError):
    """The person stopped the run; the code is the one that a shell gives to Ctrl-C."""

    exit_code = 130


def play(fleet: Fleet, request: Request, run: Run, terminal: Terminal) -> RunResult:
    """Run the playbook to its end and return its result, good or bad; raises RunStoppedError after Ctrl-C."""
    from driver.runner import Running  # ansible-runner is slow to import, and a run without drift needs none

    board = Board(request.hosts or tuple(host.name for host in fleet.hosts))
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    running = Running(fleet, request, run.folder, events.put)
    try:
        with shown(board, terminal.err) as view:
            _follow(running, events, board, view, Poller(fleet, board))
    except KeyboardInterrupt:
        terminal.say("stopping Ansible and what it started …")
        running.stop()
        raise RunStoppedError(left(board)) from None
    return running.result()


def _follow(
    running: Running, events: queue.SimpleQueue[Event], board: Board, view: Lines | Drawn, poller: Poller
) -> None:
    while True:
        ended = not running.alive()
        while not events.empty():
            event = events.get()
            board.take(event)
            view.event(event)
        poller.tick()
        view.tick()
        if ended:
            return
        running.wait(TICK_SECONDS)


def left(board: Board) -> str:
    """Return what a stopped run left, one line per host."""
    lines = ["stopped before the end; the hosts keep what was done so far:"]
    for line in board.lines.values():
        spent = duration(board.clock() - line.since)
        ended = f"ended {line.step()}" if line.step() else "had not begun"
        where = f"was at {line.step()} ({spent})" if line.running else ended
        lines.append(f"  {line.host}: {where}")
    lines.append("A command that was running on a host may still run to its end there.")
    lines.append("Run the same command again: it looks at the hosts first and goes on where they are.")
    return "\n".join(lines)


def require_good(result: RunResult) -> None:
    """Raise Unreachable or TaskFailed, with everything that helps, unless *result* is good."""
    if result.good:
        return
    texts = [failure.text(paths.shown(result.log)) for failure in result.failures]
    lost = [failure for failure in result.failures if failure.unreachable]
    others = [failure for failure in result.failures if not failure.unreachable]
    message = "\n".join(texts) or f"Ansible ended with status {result.status}; see {paths.shown(result.log)}"
    if lost and not others:
        raise Unreachable(message)
    raise TaskFailed(message)
