"""Show a playbook run while it runs: a live table on a terminal, lines without one, with the bytes that hosts move."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from driver.board import Board, Report
from driver.events import ARGUMENTS, ENDS, Event
from driver.fleet import Fleet
from driver.ssh import SSH_FAILED, Job, fan_out
from driver.units import duration

if TYPE_CHECKING:
    from rich.table import Table

HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 3.0
POLL_LIMIT_SECONDS = 8.0
TICK_SECONDS = 0.25
WORDS = 120
# Roles leave {"what", "done_bytes", "total_bytes", "updated"} in this folder while they do something long. Printed by
# the shell, not by a Python: the host is busy with what we are asking about.
READ_PROGRESS = "for f in /run/provision/progress/*.json; do [ -e $f ] && echo $f $(cat $f); done 2>/dev/null; true"
CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x1f]")


class Lines:
    """Progress as plain lines: what changes, what fails, and a sign of life from what takes long."""

    def __init__(self, board: Board, out: TextIO) -> None:
        """Write to *out*."""
        self._board, self._out = board, out
        self._spoke: dict[str, float] = {}
        self._role: dict[str, str] = {}

    def event(self, event: Event) -> None:
        """Write a line when a role begins on a host, and when a task changed something or failed."""
        host = event.host
        began = event.kind == "runner_on_start" and not event.task.startswith(ARGUMENTS)
        if began and event.role and self._role.get(host) != event.role:
            self._role[host] = event.role
            self._say(host, f"{event.role}: started")
        step = f"{event.role}: {event.task}" if event.role else event.task
        ended = ENDS.get(event.kind)
        if ended == "ok" and event.changed:
            self._say(host, f"{step}: changed ({duration(event.took)})")
            for note in event.notes:
                self._say(host, note)
        elif ended in {"failed", "unreachable"} and not event.ignored:
            first = event.message.strip().splitlines()[:1]
            self._say(host, f"{step}: {ended}: {first[0] if first else ''}")
        elif event.kind == "runner_on_start":
            self._spoke[host] = self._board.clock()

    def tick(self) -> None:
        """Write a sign of life for every host that has been silent for long."""
        now, spoken = self._board.clock(), False
        for host, line in self._board.lines.items():
            if line.running and now - max(line.since, self._spoke.get(host, 0.0)) >= HEARTBEAT_SECONDS:
                self._say(host, f"still {self._board.words(line)}")
                spoken = True
        together = self._board.together() if spoken else ""
        if together:
            self._write(together)

    def _say(self, host: str, text: str) -> None:
        self._spoke[host] = self._board.clock()
        self._write(f"{host}: {text}")

    def _write(self, text: str) -> None:
        self._out.write(f"[{self._board.elapsed():6.1f} s] {text}\n")
        self._out.flush()


@contextmanager
def shown(board: Board, out: TextIO) -> Iterator[Lines | Drawn]:
    """Yield the view that fits *out*: drawn on a terminal, else lines."""
    if not out.isatty():
        yield Lines(board, out)
        return
    drawn = Drawn(board, out)
    with drawn.opened():
        yield drawn


class Drawn:
    """Progress as one table that is drawn again and again."""

    def __init__(self, board: Board, out: TextIO) -> None:
        """Draw on the terminal *out*."""
        from rich.console import Console
        from rich.live import Live

        self._board = board
        self._live = Live(console=Console(file=out), auto_refresh=False, get_renderable=self._table)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Draw until the block is left."""
        with self._live:
            yield

    def event(self, event: Event) -> None:
        """Keep failures and notes on the screen for good; all else is in the table."""
        if ENDS.get(event.kind) in {"failed", "unreachable"} and not event.ignored:
            first = (event.message.strip().splitlines() or [""])[0]
            step = f"{event.role}: {event.task}" if event.role else event.task
            self._live.console.print(f"{event.host}: {step}: {first}", style="red", markup=False, highlight=False)
        for note in event.notes:
            self._live.console.print(f"{event.host}: {note}", style="yellow", markup=False, highlight=False)

    def tick(self) -> None:
        """Draw the table as it stands."""
        self._live.refresh()

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        board = self._board
        title = "   ".join(filter(None, [duration(board.elapsed()), board.together()]))
        table = Table(box=None, pad_edge=False, expand=True, title=title, title_justify="left")
        for name, ratio in (("host", 2), ("role", 3), ("now", 7), ("for", 2), ("moving", 6), ("done", 2)):
            table.add_column(name, ratio=ratio, overflow="ellipsis", no_wrap=True)
        for line in board.lines.values():
            style = {"failed": "red", "unreachable": "red", "waiting": "dim"}.get(line.state, "")
            now = line.task if line.running else ("" if line.state == "working" else line.state)
            spent = duration(board.clock() - line.since) if line.running else ""
            moving = "; ".join(each.text() for each in line.moving.values())
            cells = (line.host, line.role, now, spent, moving, f"{line.changed} changed")
            table.add_row(*(Text(cell, style=style) for cell in cells))
        return table


class Poller:
    """Asks the hosts whose task takes long how many bytes they have moved; one ssh each, over the open connection."""

    def __init__(self, fleet: Fleet, board: Board) -> None:
        """Report to *board*."""
        self._fleet, self._board = fleet, board
        self._next = 0.0
        self._thread: threading.Thread | None = None

    def tick(self) -> None:
        """Start a round when one is due and the last one has ended."""
        if time.monotonic() < self._next or (self._thread and self._thread.is_alive()):
            return
        self._next = time.monotonic() + POLL_SECONDS
        hosts = self._board.slow(POLL_SECONDS)
        if hosts:
            self._thread = threading.Thread(target=self._round, args=(hosts,), daemon=True)
            self._thread.start()

    def _round(self, hosts: list[str]) -> None:
        jobs = {host: Job((READ_PROGRESS,), guest=True) for host in hosts}
        for host, answer in fan_out(self._fleet.ssh_config, jobs, POLL_LIMIT_SECONDS).items():
            if answer.code not in {None, SSH_FAILED}:  # a host that reboots has nothing to tell
                self._board.reported(host, reports(answer.out))


def reports(text: str) -> list[Report]:
    """Return the report in every line `FILE DOCUMENT` of *text*; a line that is half written is left out."""
    found = []
    for line in text.splitlines():
        name, _, document = line.partition(" ")
        try:
            known = json.loads(document)
            words = CONTROL.sub("", str(known["what"]))[:WORDS]
            found.append(Report(name, words, int(known["done_bytes"]), int(known.get("total_bytes") or 0)))
        except (ValueError, TypeError, KeyError):
            continue
    return found
