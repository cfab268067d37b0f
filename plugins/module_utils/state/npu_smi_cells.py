"""Give every value of a cell to the heading that it belongs to, or say that this cannot be known."""

from __future__ import annotations

import re

from . import npu_smi_headings as h

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .npu_smi_headings import Heading

NOTHING = re.compile(r"NA|N/A|-+|null", re.IGNORECASE)  # what the tool prints for "there is no value"
WHOLE = re.compile(r"[0-9]{1,9}")
BUS_ID = re.compile(r"(?:[0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}[.][0-7]")
HEALTH = re.compile(r"(?:(?:General|Minor|Major|Important|Critical|Urgent) )?[A-Za-z]{2,20}", re.IGNORECASE)
MODEL = re.compile(r"(?=.{1,40}$)[A-Za-z0-9][A-Za-z0-9._()/+-]*(?: [A-Za-z0-9(][A-Za-z0-9._()/+-]*){0,4}")
USED_OF_TOTAL = re.compile(r"([^\s/]+)\s*/\s*([^\s/]+)")

_RATIO = re.compile(r"[0-9]+\s*/\s*[0-9]+")
_PAIR_TYPE = re.compile(r"[^/]+/[^/]+")
_NUMBER_TYPE = re.compile(r"-?[0-9]+(?:[.][0-9]+)?[A-Za-z%]*")
_COUNT_TYPE = re.compile(r"-?[0-9][0-9.,]*\s?[A-Za-z]*")
_TYPES = {
    h.NPU: WHOLE,
    h.CHIP: WHOLE,
    h.ID: WHOLE,
    h.HEALTH: HEALTH,
    h.BUS: BUS_ID,
    h.NUMBER: _NUMBER_TYPE,
    h.PAIR: _PAIR_TYPE,
    h.MEMORY: _PAIR_TYPE,
    h.HBM: _PAIR_TYPE,
    h.PID: _COUNT_TYPE,
    h.OTHER_PID: _COUNT_TYPE,
    h.PROCESS_MEMORY: _COUNT_TYPE,
}
# "a / b" is one value, however the spaces fall; N/A was made NA before.
_TOKEN = re.compile(r"[^\s/]+(?:\s*/\s*[^\s/]+)+|\S+")
_NOT_AVAILABLE = re.compile(r"(?<![^\s/])N/A(?![^\s/])", re.IGNORECASE)


class Value:
    """A piece of a cell's text and its columns."""

    __slots__ = ("end", "start", "text")

    def __init__(self, start: int, end: int, text: str) -> None:
        """Take the text that stands in columns *start* to *end*."""
        self.start = start
        self.end = end
        self.text = text


def has_type(heading: Heading, text: str) -> bool:
    """Tell whether *text* can be a value of *heading*; an empty one can."""
    if not text or NOTHING.fullmatch(text):
        return True
    if heading.kind == h.NAME:
        return bool(MODEL.fullmatch(text)) and not BUS_ID.fullmatch(text) and not _RATIO.fullmatch(text)
    if heading.kind == h.PROCESS_NAME:
        return not BUS_ID.fullmatch(text) and not _RATIO.fullmatch(text)
    pattern = _TYPES.get(heading.kind)
    return pattern is None or bool(pattern.fullmatch(text))


def assign(headings: list[Heading], text: str, aligned: bool) -> list[str] | None:
    """Return one text per heading ("" where there is none), or None when it is not clear which is whose.

    *aligned* says that the row's bars stand below those of the headings, so columns can be compared.
    """
    if not text.strip():
        return [""] * len(headings)
    if len(headings) == 1:
        return [" ".join(text.split())]
    tokens = split_values(text)
    groups = _groups(text, tokens)
    candidates = [_in_order(headings, groups, aligned), _in_order(headings, tokens, aligned)]
    candidates.append(_in_order(headings, _with_long_text(headings, tokens), aligned))
    candidates.append(_below(headings, groups) if aligned else None)
    for values in candidates:
        if values is not None and all(has_type(heading, values[place]) for place, heading in enumerate(headings)):
            return values
    return None


def split_values(text: str) -> list[Value]:
    """Return the words of a cell; `used / total` is one."""
    text = _NOT_AVAILABLE.sub("NA ", text)  # three characters again, so columns stay
    return [Value(found.start(), found.end(), found.group()) for found in _TOKEN.finditer(text)]


def _groups(text: str, tokens: list[Value]) -> list[Value]:
    """Join tokens that are one space apart."""
    joined: list[Value] = []
    for token in tokens:
        if joined and token.start - joined[-1].end == 1:
            last = joined.pop()
            joined.append(Value(last.start, token.end, text[last.start : token.end]))
        else:
            joined.append(token)
    return joined


def _with_long_text(headings: list[Heading], tokens: list[Value]) -> list[Value]:
    """Join the surplus of tokens into the one heading whose values may hold spaces; [] when there is not one."""
    texts = [index for index, heading in enumerate(headings) if heading.kind in h.TEXTS]
    surplus = len(tokens) - len(headings)
    if len(texts) != 1 or surplus < 1 or any(heading.kind == h.UNKNOWN for heading in headings):
        return []
    first = texts[0]
    inner = tokens[first : first + surplus + 1]
    joined = Value(inner[0].start, inner[-1].end, " ".join(token.text for token in inner))
    return [*tokens[:first], joined, *tokens[first + surplus + 1 :]]


def _in_order(headings: list[Heading], values: list[Value], aligned: bool) -> list[str] | None:
    if len(values) != len(headings):
        return None
    loose = [index for index, heading in enumerate(headings) if heading.kind in h.TEXTS or heading.kind == h.UNKNOWN]
    if aligned and loose:
        # Only a value with spaces can make up for a missing one, so only then the columns have a say.
        both_ways = loose[0] < len(headings) - 1
        if any(_elsewhere(headings, index, value, both_ways) for index, value in enumerate(values)):
            return None
    return [" ".join(value.text.split()) for value in values]


def _elsewhere(headings: list[Heading], index: int, value: Value, both_ways: bool) -> bool:
    """Tell whether *value* stands below another heading and not below its own."""
    above = [place for place, heading in enumerate(headings) if _overlap(heading, value)]
    return bool(above) and index not in above and (both_ways or max(above) > index)


def _overlap(heading: Heading, value: Value) -> bool:
    return value.start < heading.end and heading.start < value.end


def _below(headings: list[Heading], groups: list[Value]) -> list[str] | None:
    """Give each group to the one heading above it; None when a group has no or several, or two have the same."""
    found = [""] * len(headings)
    for group in groups:
        above = [place for place, heading in enumerate(headings) if _overlap(heading, group)]
        if len(above) != 1 or found[above[0]]:
            return None
        found[above[0]] = " ".join(group.text.split())
    return found
