"""Cut the text of `npu-smi info` into borders, rows of cells, and lines that belong to no table."""

from __future__ import annotations

import re

BORDER, ROW, BROKEN, OTHER = "border", "row", "broken", "other"
SHOWN = 160  # characters of a line that a message repeats

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
_INVISIBLE = re.compile("[\ufeff\u200b-\u200d\u2060\x00\x07\x08]")
_SPACE = re.compile("[\xa0\u2000-\u200a\u202f\u205f\u3000]")
_BORDER = re.compile(r"[-=+|*#_~ ]*[-=*#_~]{3}[-=+|*#_~ ]*")
# Terminals and documents draw the same frame with other characters.
_FRAME = {ord(char): "|" for char in "│┃║¦｜┆┇┊┋╎╏"}
_FRAME.update({ord(char): "-" for char in "─━┄┅┈┉╌╍"})
_FRAME.update({ord(char): "=" for char in "═"})
_FRAME.update(dict.fromkeys([*range(0x250C, 0x254C), *range(0x2552, 0x2571)], "+"))


class Cell:
    """What stands between two bars; *start* is its column, counted from the line's first bar."""

    __slots__ = ("start", "text")

    def __init__(self, start: int, text: str) -> None:
        """Take the text with its spaces: columns matter."""
        self.start = start
        self.text = text


class Line:
    """One line: its number from 1, its kind, its text without indentation, and the cells of a row.

    *short* is set on rows that are shorter than the others of their table: they may have lost characters.
    """

    __slots__ = ("cells", "kind", "number", "short", "text")

    def __init__(self, number: int, kind: str, text: str, cells: list[Cell]) -> None:
        """Take the line; *cells* is empty unless *kind* is ROW."""
        self.number = number
        self.kind = kind
        self.text = text
        self.cells = cells
        self.short = False

    def quoted(self, what: str) -> str:
        """Return *what* with the place: `what, line N: the line`."""
        text = " ".join(self.text.split())
        return f"{what}, line {self.number}: {text if len(text) <= SHOWN else text[:SHOWN] + '…'}"


class Notes:
    """What is not understood; *damaged* when rows were lost, cut or mixed, so that others may have suffered, too."""

    __slots__ = ("damaged", "texts")

    def __init__(self) -> None:
        """Start with nothing noted."""
        self.texts: list[str] = []
        self.damaged = False

    def add(self, text: str) -> None:
        """Note something that is whole but not understood."""
        self.texts.append(text)

    def damage(self, text: str) -> None:
        """Note a sign that the output is not what the tool wrote."""
        self.texts.append(text)
        self.damaged = True


def read_lines(text: str) -> list[Line]:
    """Return the lines of *text*; colours, byte order marks, tabs and frame characters are made plain."""
    text = _INVISIBLE.sub("", _ESCAPES.sub("", text)).replace("\r\n", "\n").replace("\r", "\n")
    text = _SPACE.sub(" ", text).translate(_FRAME)
    return [_line(number, line.expandtabs().strip()) for number, line in enumerate(text.split("\n"), start=1)]


def shorter(lines: list[Line], width: int) -> list[Line]:
    """Return the rows among *lines* that are shorter than *width* while two thirds of them are not.

    The tool pads every row to the width of its headings, so a shorter row has lost characters, and what is left of a
    number could pass for one. A longer row only holds a value that is wider than its column.
    """
    short = [line for line in lines if line.kind == ROW and len(line.text) < width]
    return short if 3 * len(short) <= len(lines) else []


def _line(number: int, text: str) -> Line:
    framed = text[:1] in ("|", "+")
    if _BORDER.fullmatch(text):
        whole = not framed or (text[-1] in "|+" and len(text) > 1)
        return Line(number, BORDER if whole else BROKEN, text, [])
    if "|" in text:
        whole = len(text) > 2 and text[0] == "|" and text[-1] == "|"
        return Line(number, ROW, text, _cells(text)) if whole else Line(number, BROKEN, text, [])
    return Line(number, BROKEN if framed else OTHER, text, [])


def _cells(text: str) -> list[Cell]:
    bars = [column for column, char in enumerate(text) if char == "|"]
    return [Cell(left + 1, text[left + 1 : bars[index]]) for index, left in enumerate(bars[:-1], start=1)]
