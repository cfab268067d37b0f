"""Tables: drawn by rich on a terminal, aligned words without one."""

from __future__ import annotations

import io
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]
NARROWEST = 60  # columns; folded into fewer, words fall apart into letters
# words that get a colour on a terminal, by what they say
TONES = {
    "ok": "green",
    "passed": "green",
    "failed": "red",
    "unreachable": "red",
    "drift": "yellow",
    "reboot": "yellow",
    "stopped": "yellow",
}


def table(head: Sequence[str], rows: Rows, *, width: int = 0) -> str:
    """Return a table with a trailing newline; *width* is the terminal's, 0 means that there is none."""
    return _drawn(head, rows, width) if width >= NARROWEST else _plain(head, rows)


def _plain(head: Sequence[str], rows: Rows) -> str:
    """Return columns that are two blanks apart; the last one is not padded."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join(text) + "\n"


def _drawn(head: Sequence[str], rows: Rows, width: int) -> str:
    from rich.box import SIMPLE_HEAD  # only a terminal pays for the import
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawing = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in head:
        drawing.add_column(name, overflow="fold")
    for row in rows:
        drawing.add_row(*(Text(cell, style=TONES.get(cell.split(" ")[0], "")) for cell in row))
    target = io.StringIO()
    Console(file=target, force_terminal=True, width=width, highlight=False).print(drawing)
    return target.getvalue()
