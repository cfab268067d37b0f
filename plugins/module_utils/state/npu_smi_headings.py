"""Read the heading lines of npu-smi's tables: which column holds what, and in which unit."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .npu_smi_lines import Cell, Line

NPU, CHIP, ID, NAME, HEALTH, BUS = "npu", "chip", "id", "name", "health", "bus_id"
NUMBER, PAIR, MEMORY, HBM, UNKNOWN = "number", "pair", "memory", "hbm", "unknown"
PID, PROCESS_NAME, PROCESS_MEMORY, OTHER_PID = "pid", "process_name", "process_memory", "other_pid"
TEXTS = (NAME, PROCESS_NAME)  # values that may hold spaces

_UNIT = r"\s?(?:\(([^()]*)\))?"
# Longer headings first: "Process id in container" is not "Process id", "NPU Util(%)" is not "NPU".
_KNOWN = [
    (kind, re.compile(pattern + r"(?!\S)", re.IGNORECASE))
    for kind, pattern in (
        (OTHER_PID, r"Process[ -]?id\s+in\s+container"),
        (PID, r"Process[ -]?id"),
        (PID, r"PID"),
        (PROCESS_NAME, r"Process[ -]?name"),
        (PROCESS_MEMORY, r"Process[ -]?memory" + _UNIT),
        (NUMBER, r"(?:NPU|AI ?Core|AI ?Cpu|Ctrl ?Cpu|AI ?Vector)[ -]?(?:Util\w*|Usage)?[ -]?(?:Rate)?\s?\(%\)"),
        (ID, r"(?:Chip[ -])?(?:Phy|Physical|Logic)[ -]?ID"),
        (NPU, r"NPU(?:[ -]?ID)?"),
        (CHIP, r"Chip(?:[ -]?ID)?"),
        (ID, r"(?:Device|Slot)(?:[ -]?ID)?"),
        (NAME, r"Name"),
        (HEALTH, r"Health(?:[ -]?Status)?"),
        (BUS, r"(?:PCI?e?[ -]?)?Bus[ -]?Id"),
        (NUMBER, r"(?:Power|Temp(?:erature)?)\s?\([^()]*\)"),
        (PAIR, r"Huge[ -]?pages[ -]Usage" + _UNIT),
        (MEMORY, r"Memory[ -]Usage" + _UNIT),
        (HBM, r"HBM[ -]Usage" + _UNIT),
    )
]
_GROUP = re.compile(r"\S+(?: \S+)*")
_WORD = re.compile(r"\S+")
_VALUE = re.compile(r"-?[0-9][0-9.,]*[%A-Za-z]*|\S*[0-9]+\s?/\s?[0-9]+\S*|[0-9A-Fa-f:]+[.][0-7]")


class Heading:
    """One heading: *start* and *end* are its columns inside the cell."""

    __slots__ = ("end", "kind", "start", "text", "unit")

    def __init__(self, kind: str, unit: str | None, start: int, end: int, text: str) -> None:
        """Take the heading; *unit* is what stands in its brackets, None without brackets."""
        self.kind = kind
        self.unit = unit
        self.start = start
        self.end = end
        self.text = text


class HeadingLine:
    """One line of headings, cell by cell."""

    __slots__ = ("cells", "line")

    def __init__(self, line: Line, cells: list[list[Heading]]) -> None:
        """Take the row and, for each of its cells, the headings from left to right."""
        self.line = line
        self.cells = cells

    def kinds(self) -> list[str]:
        """Return the kinds of all headings of the line."""
        return [heading.kind for cell in self.cells for heading in cell]


def read_heading_line(line: Line) -> HeadingLine | None:
    """Return the headings of a row, or None when it holds values or fewer than two headings that we know."""
    found = HeadingLine(line, [split_headings(cell) for cell in line.cells])
    known = sum(1 for kind in found.kinds() if kind != UNKNOWN)
    return found if known >= 2 and not has_values(line) else None


def has_values(line: Line) -> bool:
    """Tell whether a word of the row looks like a value (number, pair, address)."""
    return any(_VALUE.fullmatch(word) for cell in line.cells for word in cell.text.split())


def split_headings(cell: Cell) -> list[Heading]:
    """Return the headings of *cell*; unknown words that stand together are one heading of kind UNKNOWN."""
    found: list[Heading] = []
    for group in _GROUP.finditer(cell.text):
        at, apart = group.start(), True
        while at < group.end():
            heading = _known_at(cell.text, at, group.end()) or _unknown_at(cell.text, at)
            if heading.kind == UNKNOWN and not apart and found[-1].kind == UNKNOWN:
                last = found.pop()
                heading = Heading(UNKNOWN, None, last.start, heading.end, cell.text[last.start : heading.end])
            found.append(heading)
            apart = False
            at = heading.end + 1
    return found


def _known_at(text: str, at: int, end: int) -> Heading | None:
    for kind, pattern in _KNOWN:
        match = pattern.match(text, at, end)
        if match:
            unit = match.group(1) if pattern.groups else None
            return Heading(kind, None if unit is None else unit.strip(), at, match.end(), match.group())
    return None


def _unknown_at(text: str, at: int) -> Heading:
    match = _WORD.match(text, at)
    end = match.end() if match else at + 1
    return Heading(UNKNOWN, None, at, end, text[at:end])
