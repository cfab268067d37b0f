"""Understand the output of `npu-smi info` by its headings: facts, or a clear note of what is not understood.

The vendor changes the layout between versions and products (facts/ascend-host.md, 4.2), and two calls at the same
time garble each other. So nothing here counts on a position that the headings of the same text do not confirm, and a
fact that could be wrong is null, with a note that repeats the line.
"""

from __future__ import annotations

import re

from . import npu_smi_lines as ln
from . import npu_smi_table as tb
from .npu_smi_answers import find_code, find_error, other_answer
from .npu_smi_blocks import headings_of
from .npu_smi_facts import chips, processes
from .npu_smi_headings import CHIP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .npu_smi_lines import Line, Notes

    Fact = dict[str, Any]

_VERSION = re.compile(r"(?:\b([A-Za-z]+) )?\bVersion\s*:\s*(\S+)", re.IGNORECASE)
_TOOL = re.compile(r"\bnpu-smi\s+(\S+)", re.IGNORECASE)
_VERSION_FORM = re.compile(r"[Vv]?[0-9]+(?:[._+-][0-9A-Za-z]+)*")
# Drivers before this one print no table of processes, so its absence says nothing.
_FIRST_WITH_PROCESSES = 23


def parse_npu_smi(text: str) -> Fact:
    """Return {version, chips, processes, not_understood, code, error} of what `npu-smi info` printed.

    chips: {npu, chip, name, health, bus_id, memory_used_mb, memory_total_mb}; processes: {npu, chip, pid, name,
    memory_mb}. Ids and pids are strings, memory is whole MB (HBM where the layout has it); NA is None. *version* is
    that of the driver ("Version:" in the title). *not_understood* has one text per thing that is not understood,
    "what, line N: the line". *code* is the driver's error code, such as -8005, *error* the line that says it.
    """
    found, damaged = _parse(text, strict=False)
    return _parse(text, strict=True)[0] if damaged else found


def _parse(text: str, strict: bool) -> tuple[Fact, bool]:
    """Return the facts and whether the text shows damage; *strict* then distrusts every row that is too short."""
    lines = ln.read_lines(text)
    layout = tb.Layout(lines, strict)
    notes = ln.Notes()
    code, error = find_code([line for line in lines if line.text], text.endswith("\n"))
    found: Fact = {"version": None, "chips": [], "processes": [], "not_understood": notes.texts}
    found.update(code=code, error=error)
    twice = _several(layout)
    if not layout.of_kind(tb.CHIPS) and not layout.of_kind(tb.PROCESSES):
        other, text_of = other_answer(lines)
        found["error"] = error or (None if other else find_error(lines))
        if code is None:
            notes.add(text_of)
    elif twice:
        notes.add(twice)
    else:
        found["version"] = _version(layout.titles, notes)
        _read_tables(layout, found, notes)
        _note_leftovers(layout, lines, notes)
    return found, notes.damaged


def _several(layout: tb.Layout) -> str | None:
    """Return a note when the text holds more than one output: nothing tells whose a row is."""
    for what, places in (
        ("titles", layout.titles),
        ("tables of chips", [section.heads[0].line for section in layout.of_kind(tb.CHIPS)]),
        ("tables of processes", [section.heads[0].line for section in layout.of_kind(tb.PROCESSES)]),
    ):
        if len(places) > 1:
            return places[1].quoted("%d %s in one text, so nothing of it is used; the second" % (len(places), what))
    return None


def _read_tables(layout: tb.Layout, found: Fact, notes: Notes) -> None:
    tables, running = layout.of_kind(tb.CHIPS), layout.of_kind(tb.PROCESSES)
    both = [*tables, *running]
    # Where no table has chips below the NPU, a missing chip id is the layout's, not a loss.
    chip_expected = any(headings_of(table, CHIP) for table in both) or not all(map(_numbered_by_npu, both))
    for section in tables:
        found["chips"] = chips(section, notes, chip_expected)
    if not tables:
        notes.add(running[0].heads[0].line.quoted("the text has a table of processes but none of chips"))
    busy: dict[str, Line] = {}
    idle: dict[str, Line] = {}
    for section in running:
        found["processes"], busy, idle = processes(section, notes, chip_expected)
        if not found["processes"] and not idle:
            notes.add(section.heads[0].line.quoted("processes: the table has no rows"))
    if not running and not _too_old(found["version"]):
        notes.add("processes: the text has no table of processes, so it is not known who uses the chips")
    _compare({chip["npu"] for chip in found["chips"]}, busy, idle, notes)


def _numbered_by_npu(section: tb.Section) -> bool:
    """Tell whether the layout is one that has no chips below the NPU: its first heading is "NPU ID"."""
    first = section.heads[0].cells[0]
    return bool(first) and "ID" in first[0].text.upper()


def _too_old(version: str | None) -> bool:
    first = re.match(r"[Vv]?([0-9]+)[.]", version or "")
    return bool(first) and int(first.group(1)) < _FIRST_WITH_PROCESSES if first else False


def _compare(npus: set[str], busy: dict[str, Line], idle: dict[str, Line], notes: Notes) -> None:
    """Note where the two tables contradict each other: then rows are missing in one of them."""
    named = {npu: line for npu, line in [*idle.items(), *busy.items()] if npu}
    for npu, line in named.items():
        if npu not in npus:
            notes.damage(line.quoted("NPU %s is in the table of processes and not among the chips understood" % npu))
    for npu in idle:
        if npu in busy:
            notes.damage(busy[npu].quoted("NPU %s has a process and is said to have none" % npu))
    if idle and "" not in idle:
        silent = sorted(npus - set(named))
        if silent:
            notes.damage("processes: the table says nothing of NPU %s; it may be cut off" % ", ".join(silent))


def _version(titles: list[Line], notes: Notes) -> str | None:
    """Return the driver's version from the title: "Version:", else the tool's own, which comes with the driver."""
    if len(titles) != 1:
        return None
    if titles[0].kind != ln.ROW:
        notes.add(titles[0].quoted("version: the line has lost characters"))
        return None
    text = " ".join(" ".join(cell.text for cell in titles[0].cells).split())
    labelled = _VERSION.findall(text)
    named = {value for label, value in labelled if label.lower() == "driver"}
    values = named or {value for _, value in labelled} or set(_TOOL.findall(text))
    # The two versions may differ, but when they do in a line of an odd length, characters are missing or too many.
    odd = titles[0].short and labelled and not values.issubset(_TOOL.findall(text))
    if len(values) == 1 and not odd:
        value = str(values.pop())
        if _VERSION_FORM.fullmatch(value):
            return value
        if value.upper() in ("NA", "N/A", "-"):
            return None
    notes.add(titles[0].quoted("version"))
    return None


def _note_leftovers(layout: tb.Layout, lines: list[Line], notes: Notes) -> None:
    for line in layout.strays:
        notes.damage(line.quoted("a line outside of every table"))
    for section in layout.of_kind(tb.UNKNOWN):
        notes.add(section.heads[0].line.quoted("a table with headings that are not known"))
    for section in layout.sections:
        for line in section.gaps:
            notes.damage(line.quoted("two borders with no row between them, so one may be missing; after them"))
    framed = [line for line in lines if line.kind != ln.OTHER]
    borders = [len(line.text) for line in framed[:-1] if line.kind == ln.BORDER]
    last = framed[-1]
    if borders and (last.kind == ln.ROW or (last.kind == ln.BORDER and len(last.text) not in borders)):
        notes.damage(last.quoted("the table has no closing border, it may be cut off; its end"))
