"""Put the rows of a table below their heading lines: one block of rows for each chip or process."""

from __future__ import annotations

from . import npu_smi_headings as h
from . import npu_smi_lines as ln
from .npu_smi_cells import WHOLE, assign, has_type, split_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .npu_smi_headings import Heading, HeadingLine
    from .npu_smi_lines import Line, Notes
    from .npu_smi_table import Group, Section


class Row:
    """One row read below one heading line: a text per heading, None where a cell is not clear; *faults* counts."""

    __slots__ = ("cells", "crowded", "faults", "head", "line")

    def __init__(self, head: HeadingLine, line: Line) -> None:
        """Read *line* below *head*; both must have the same number of cells."""
        self.head, self.line = head, line
        aligned = [cell.start for cell in head.line.cells] == [cell.start for cell in line.cells]
        self.faults = 0
        self.crowded = False  # more values than headings in a cell: parts of two rows?
        self.cells: list[list[str] | None] = []
        for place, headings in enumerate(head.cells):
            values = assign(headings, line.cells[place].text, aligned)
            if headings or values != []:
                right = values is not None and all(has_type(headings[at], text) for at, text in enumerate(values))
                self.faults += not right
            self.crowded |= values is None and len(split_values(line.cells[place].text)) > len(headings)
            self.cells.append(values)

    def texts(self, kind: str) -> list[str | None]:
        """Return what stands below every heading of *kind*."""
        return [
            None if values is None else values[place]
            for cell, values in enumerate(self.cells)
            for place, heading in enumerate(self.head.cells[cell])
            if heading.kind == kind
        ]


class Block:
    """The rows of one chip or process; *carried* when its first row is that of the block before it."""

    __slots__ = ("after", "carried", "rows")

    def __init__(self, rows: list[Row], carried: bool, after: Block | None) -> None:
        """Take the rows; *after* is the block before it when nothing that we do not understand lies between."""
        self.rows, self.carried, self.after = rows, carried, after

    @property
    def line(self) -> Line:
        """Return the last line of the block that is its own."""
        return self.rows[-1].line

    def texts(self, kind: str) -> list[tuple[str | None, Line]]:
        """Return what stands below every heading of *kind*, with its line."""
        return [(text, row.line) for row in self.rows for text in row.texts(kind)]

    def narrow(self, kind: str) -> bool:
        """Tell whether the cell of *kind* is what made its row shorter than the headings."""
        return any(
            row.line.short and len(row.line.cells[place].text) < len(row.head.line.cells[place].text)
            for row in self.rows
            for place, cell in enumerate(row.head.cells)
            if any(heading.kind == kind for heading in cell)
        )


def fitting(heads: list[HeadingLine], line: Line) -> dict[int, Row]:
    """Return the readings of *line*, by heading line, that have no fault."""
    found = {}
    for place, head in enumerate(heads):
        if line.kind == ln.ROW and len(line.cells) == len(head.cells):
            row = Row(head, line)
            if not row.faults:
                found[place] = row
    return found


class Blocks:
    """Builds the blocks of one table; what does not fit goes to *notes*."""

    def __init__(self, section: Section, notes: Notes) -> None:
        """Read all rows of *section*."""
        self.heads = section.heads
        self.notes = notes
        self.found: list[Block] = []
        self._last: Block | None = None
        self._pending: list[Row] = []
        for group in section.groups:
            self._read(group)

    def _read(self, group: Group) -> None:
        fits = [fitting(self.heads, line) for line in group.rows]
        exact = len(group.rows) == len(self.heads)
        one_head = group.closed and sum(1 for fit in fits if 0 in fit) == 1
        whole = all(line.kind == ln.ROW for line in group.rows)
        begun = len(self.found)
        for place, line in enumerate(group.rows):
            fit, want = fits[place], len(self._pending)
            if want not in fit and 0 in fit:
                self._drop_pending()
                want = 0
            row = fit.get(want) or (self._nearly(line, want) if exact and not fit else None)
            if row:
                self._pending.append(row)
            elif one_head and whole and want == 0 and len(self.found) > begun and self._continues(fit):
                self._emit(Block([self.found[-1].rows[0], fit[1]], True, self._last))
            else:
                self._drop_pending()
                self._refuse(line)
            if len(self._pending) == len(self.heads):
                self._emit(Block(self._pending, False, self._last))
                self._pending = []
        self._drop_pending()

    def _nearly(self, line: Line, place: int) -> Row | None:
        """Return the reading at its own place of a row with one fault; the borders say that it belongs there."""
        if line.kind != ln.ROW or len(line.cells) != len(self.heads[place].cells):
            return None
        row = Row(self.heads[place], line)
        return row if row.faults == 1 and not row.crowded else None

    def _continues(self, fit: dict[int, Row]) -> bool:
        """Tell whether a second row alone can only be the next chip of the card above it."""
        if len(self.heads) != 2 or list(fit) != [1]:
            return False
        before, chip = self.found[-1].rows[1].texts(h.CHIP), fit[1].texts(h.CHIP)
        numbers = [text for text in (*before, *chip) if text and WHOLE.fullmatch(text)]
        return len(before) == len(chip) == 1 and len(numbers) == 2 and int(numbers[0]) < int(numbers[1])

    def _emit(self, block: Block) -> None:
        self.found.append(block)
        self._last = block

    def _drop_pending(self) -> None:
        for row in self._pending:
            self.notes.damage(row.line.quoted("a row without the other rows of its chip"))
            self._last = None
        self._pending = []

    def _refuse(self, line: Line) -> None:
        self._last = None
        if line.kind == ln.BROKEN:
            what = "a line that is cut off or mixed with another"
        else:
            cells = sorted({len(head.cells) for head in self.heads})
            what = "a row that fits no heading line"
            if len(line.cells) not in cells:
                what += " (%d cells, the headings have %s)" % (len(line.cells), " or ".join(map(str, cells)))
        self.notes.damage(line.quoted(what))


def headings_of(section: Section, kind: str) -> list[tuple[Heading, Line]]:
    """Return the headings of *kind* with their lines."""
    return [
        (heading, head.line)
        for head in section.heads
        for cell in head.cells
        for heading in cell
        if heading.kind == kind
    ]
