"""Find the tables in the lines of `npu-smi info`: their titles, their heading lines, their rows between borders."""

from __future__ import annotations

import re

from . import npu_smi_headings as h
from . import npu_smi_lines as ln

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .npu_smi_lines import Line

CHIPS, PROCESSES, UNKNOWN = "chips", "processes", "unknown"
_TITLE = re.compile(r"\bnpu-smi\b.*\bVersion\s*:|\bnpu-smi\s+[Vv]?[0-9]+[.]", re.IGNORECASE)
_PROCESS_KINDS = {h.PID, h.PROCESS_NAME, h.PROCESS_MEMORY}
_CHIP_KINDS = {h.NAME, h.HEALTH, h.BUS, h.MEMORY, h.HBM}


IDLE = re.compile(
    r"\|\s*No running process(?:es)?(?: found)?(?: in NPU ([0-9]{1,9})(?: Chip [0-9]+)?)?[\s.|]*", re.IGNORECASE
)


class Group:
    """Rows that no border separates; *closed* when a border follows."""

    __slots__ = ("closed", "rows")

    def __init__(self) -> None:
        """Start without rows."""
        self.rows: list[Line] = []
        self.closed = False


class Section:
    """One table: its heading lines and its rows."""

    __slots__ = ("borders", "gaps", "groups", "heads")

    def __init__(self, head: h.HeadingLine) -> None:
        """Start with the first heading line."""
        self.heads = [head]
        self.groups = [Group()]
        self.borders = 0  # since the last row
        self.gaps: list[Line] = []  # rows that come after two borders

    @property
    def started(self) -> bool:
        """Tell whether the table has a row."""
        return any(group.rows for group in self.groups)

    @property
    def kind(self) -> str:
        """Return what the headings say that the table is about."""
        kinds = {kind for head in self.heads for kind in head.kinds()}
        if kinds & _PROCESS_KINDS:
            return PROCESSES if h.PID in kinds else UNKNOWN
        return CHIPS if h.NPU in kinds and kinds & _CHIP_KINDS else UNKNOWN

    def add(self, line: Line) -> None:
        """Put a row at the end."""
        if self.borders > 1:
            self.gaps.append(line)
        self.groups[-1].rows.append(line)
        self.borders = 0

    def border(self) -> None:
        """Close the rows so far."""
        self.borders += 1
        if self.groups[-1].rows:
            self.groups[-1].closed = True
            self.groups.append(Group())

    def mark_short(self) -> None:
        """Mark the rows that may have lost characters."""
        heads = [head.line for head in self.heads]
        rows = [line for group in self.groups for line in group.rows]
        for line in ln.shorter([*heads, *rows], min(len(line.text) for line in heads)):
            line.short = not IDLE.fullmatch(line.text)

    def takes_heading(self, head: h.HeadingLine) -> bool:
        """Tell whether *head* is one more heading line of this table."""
        return not self.started and bool(_PROCESS_KINDS.intersection(head.kinds())) == bool(
            _PROCESS_KINDS.intersection(self.heads[0].kinds())
        )


class Layout:
    """All that has the form of a table; *strays* are lines with bars that belong to none."""

    def __init__(self, lines: list[Line], strict: bool) -> None:
        """Sort *lines* into titles, sections and strays; *strict* distrusts rows that may have lost characters."""
        self.titles: list[Line] = []
        self.sections: list[Section] = []
        self.strays: list[Line] = []
        self._open: Section | None = None
        for line in lines:
            if line.kind == ln.BORDER and self._open:
                self._open.border()
            elif line.kind == ln.BROKEN:
                self._put(line)
            elif line.kind == ln.ROW and any(cell.text.strip() for cell in line.cells):
                self._row(line)

        for section in self.sections:
            section.mark_short()
        widths = {len(line.text) for line in lines if line.kind == ln.BORDER}
        for line in self.titles:
            line.short = bool(widths) and len(line.text) not in widths
        if strict:
            self._break_short([line for line in lines if line.kind == ln.BORDER])

    def of_kind(self, kind: str) -> list[Section]:
        """Return the tables about *kind*."""
        return [section for section in self.sections if section.kind == kind]

    def _break_short(self, borders: list[Line]) -> None:
        for line in [line for section in self.sections for group in section.groups for line in group.rows]:
            if line.short:
                line.kind, line.cells = ln.BROKEN, []
        width = max([len(line.text) for line in borders], default=0)
        for line in ln.shorter([*borders, *self.titles], width):
            line.kind = ln.BROKEN

    def _row(self, line: Line) -> None:
        head = h.read_heading_line(line)
        if _TITLE.search(line.text) and not head:
            self.titles.append(line)
            self._open = None
        elif head and self._open and self._open.takes_heading(head):
            self._open.heads.append(head)
            self._open.borders = 0
        elif head:
            self._begin(head)
        elif self._open and not h.has_values(line) and not self._open.started and not self._open.borders:
            # a further line of headings none of which we know
            self._open.heads.append(h.HeadingLine(line, [h.split_headings(cell) for cell in line.cells]))
        elif self._open and not h.has_values(line) and self._open.started and self._open.borders > 1:
            self._begin(h.HeadingLine(line, [h.split_headings(cell) for cell in line.cells]))
        else:
            self._put(line)

    def _begin(self, head: h.HeadingLine) -> None:
        self._open = Section(head)
        self.sections.append(self._open)

    def _put(self, line: Line) -> None:
        if self._open:
            self._open.add(line)
        elif line.text[:1] in ("|", "+"):
            self.strays.append(line)
