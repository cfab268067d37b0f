"""Turn blocks of rows into facts about chips and processes; what cannot be trusted is null and noted."""

from __future__ import annotations

import re

from . import npu_smi_headings as h
from .npu_smi_blocks import Block, Blocks, headings_of
from .npu_smi_cells import BUS_ID, HEALTH, MODEL, NOTHING, USED_OF_TOTAL, WHOLE
from .npu_smi_table import IDLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .npu_smi_lines import Line, Notes
    from .npu_smi_table import Section

    Fact = dict[str, Any]

_PLACE = ("npu", "chip", "pid")
_PID = re.compile(r"[0-9]{1,10}")
_AMOUNTS = (h.MEMORY, h.HBM, h.PID, h.PROCESS_MEMORY)  # what is left of them still looks whole
_HEALTHS = ("OK", "WARNING", "ALARM", "CRITICAL", "UNKNOWN")
_ANY = re.compile(r"[^\ufffd]+")


class Reader:
    """Reads single facts of one block; *owner* names the block in notes."""

    def __init__(self, block: Block, owner: str, notes: Notes) -> None:
        """Take the block and where to note what is not understood."""
        self.block, self.owner, self.notes = block, owner, notes

    def text(self, kind: str, what: str, pattern: Any, blank_is_null: bool = False) -> str | None:
        """Return what stands below the heading of *kind*; None (noted, unless it is NA) when it is not *pattern*."""
        found = self.block.texts(kind)
        if not found:
            return None
        text, line = found[0]
        why = None
        if text is None:
            why = "values and headings of its cell cannot be matched"
        elif any(other != text for other, _ in found):
            why = "several columns have this heading and differ"
        elif NOTHING.fullmatch(text) or (blank_is_null and not text):
            return None
        elif not text or not pattern.fullmatch(text):
            why = "'%s'" % text if text else "empty"
        elif self.block.narrow(kind) and (kind in _AMOUNTS or (kind == h.HEALTH and text.upper() not in _HEALTHS)):
            why = "the row is shorter than its headings, characters may be missing"
        if why:
            self.refuse(what, why, line)
            return None
        return text

    def refuse(self, what: str, why: str, line: Line) -> None:
        """Note that *what* is not understood, and *why*."""
        self.notes.add(line.quoted("%s of %s: %s" % (what, self.owner, why)))


def chips(section: Section, notes: Notes, chip_expected: bool) -> list[Fact]:
    """Return the chips of the table below *section*'s headings, in the order of the rows."""
    memory = _memory_kind(section, notes)
    wanted = [(h.NAME, "name"), (h.HEALTH, "health"), (h.BUS, "bus_id")]
    _note_missing(section, [*([(h.CHIP, "chip")] if chip_expected else []), *wanted], notes)
    found: list[tuple[Fact, Line]] = []
    ids: dict[int, str | None] = {}
    for block in Blocks(section, notes).found:
        npu = _npu(block, ids, notes)
        ids[id(block)] = npu
        if npu is not None:
            found.append((_chip(block, npu, memory, notes), block.line))
    if not found and not section.started:
        notes.add(section.heads[-1].line.quoted("the table of chips has no rows"))
    return _unique(found, notes)


def _chip(block: Block, npu: str, memory: str | None, notes: Notes) -> Fact:
    reader = Reader(block, "NPU %s" % npu, notes)
    chip = reader.text(h.CHIP, "chip id", WHOLE)
    if block.texts(h.CHIP) and chip is None and any(NOTHING.fullmatch(text or "") for text, _ in block.texts(h.CHIP)):
        reader.refuse("chip id", "there is none", block.line)
    reader.owner += "" if chip is None else " chip %s" % chip
    health = None
    if block.carried:
        reader.refuse("health", "no first row of its own", block.line)
    else:
        health = reader.text(h.HEALTH, "health", HEALTH)
    used, total = _used_of_total(reader, memory)
    return {
        "npu": npu,
        "chip": chip,
        "name": reader.text(h.NAME, "name", MODEL),
        "health": health,
        "bus_id": reader.text(h.BUS, "bus_id", BUS_ID),
        "memory_used_mb": used,
        "memory_total_mb": total,
    }


def _npu(block: Block, ids: dict[int, str | None], notes: Notes) -> str | None:
    """Return the NPU id of *block*: its own, or that of the block before when only the chip id grows."""
    found = block.texts(h.NPU)
    text, before = found[0][0], block.after
    if text == "" and before is not None and all(other == "" for other, _ in found):
        chips_of = [value for part in (before, block) for value, _ in part.texts(h.CHIP)]
        numbers = [int(value) for value in chips_of if value and WHOLE.fullmatch(value)]
        if len(numbers) == 2 and numbers[0] < numbers[1]:
            return ids.get(id(before))
    if text is None or not WHOLE.fullmatch(text) or any(other != text for other, _ in found):
        notes.damage(found[0][1].quoted("the NPU id of a row"))
        return None
    return text


def _memory_kind(section: Section, notes: Notes) -> str | None:
    """Return which heading holds the memory in MB: HBM where the layout has it."""
    for kind, name in ((h.HBM, "HBM"), (h.MEMORY, "Memory")):
        found = headings_of(section, kind)
        if found:
            heading, line = found[0]
            if all(other.unit == "MB" for other, _ in found):
                return kind
            notes.add(line.quoted("memory: the unit of '%s', expected %s-Usage(MB)" % (heading.text, name)))
            return None
        for heading, line in headings_of(section, h.UNKNOWN):
            if kind == h.HBM and "hbm" in heading.text.lower():
                notes.add(line.quoted("memory: the heading '%s', expected HBM-Usage(MB)" % heading.text))
                return None
    notes.add(section.heads[-1].line.quoted("memory: no heading HBM-Usage(MB) or Memory-Usage(MB)"))
    return None


def _used_of_total(reader: Reader, kind: str | None) -> tuple[int | None, int | None]:
    text = None if kind is None else reader.text(kind, "memory", _ANY)
    if kind is None or text is None:
        return None, None
    line = reader.block.texts(kind)[0][1]
    parts = USED_OF_TOTAL.fullmatch(text)
    values = [parts.group(1), parts.group(2)] if parts else [""]
    if not all(WHOLE.fullmatch(value) or NOTHING.fullmatch(value) for value in values):
        reader.refuse("memory", "'%s' is not 'used / total' in whole MB" % text, line)
        return None, None
    used, total = [int(value) if WHOLE.fullmatch(value) else None for value in values]
    if total == 0 or (used is not None and total is not None and used > total):
        reader.refuse(
            "memory", "'%s' %s" % (text, "is no memory at all" if total == 0 else "uses more than there is"), line
        )
        return None, None
    return used, total


def _unique(found: list[tuple[Fact, Line]], notes: Notes) -> list[Fact]:
    """Return the chips whose (npu, chip) occurs once; all others are noted."""
    places: dict[tuple[str, str | None], list[Line]] = {}
    for fact, line in found:
        places.setdefault((fact["npu"], fact["chip"]), []).append(line)
    for (npu, chip), lines in places.items():
        if len(lines) > 1:
            what = "NPU %s chip %s stands here %d times, first" % (npu, chip, len(lines))
            notes.damage(lines[0].quoted(what))
    return [fact for fact, _ in found if len(places[fact["npu"], fact["chip"]]) == 1]


def _note_missing(section: Section, wanted: list[tuple[str, str]], notes: Notes) -> None:
    missing = [name for kind, name in wanted if not headings_of(section, kind)]
    if missing:
        notes.add(section.heads[-1].line.quoted("%s: no such heading in the table" % ", ".join(missing)))


def processes(
    section: Section, notes: Notes, chip_expected: bool
) -> tuple[list[Fact], dict[str, Line], dict[str, Line]]:
    """Return the processes, the NPUs that they run on and the NPUs said to be idle, each with a line."""
    idle: dict[str, Line] = {}
    for group in section.groups:
        for line in list(group.rows):
            match = IDLE.fullmatch(line.text)
            if match:
                idle[match.group(1) or ""] = line
                group.rows.remove(line)
    wanted = [(h.CHIP, "chip")] if chip_expected else []
    wanted += [(h.NPU, "npu"), (h.PROCESS_NAME, "process name"), (h.PROCESS_MEMORY, "process memory")]
    _note_missing(section, wanted, notes)
    units = headings_of(section, h.PROCESS_MEMORY)
    in_mb = all(heading.unit == "MB" for heading, _ in units)
    if not in_mb:
        notes.add(units[0][1].quoted("process memory: the unit of '%s', expected MB" % units[0][0].text))
    found: list[Fact] = []
    busy: dict[str, Line] = {}
    for block in Blocks(section, notes).found:
        fact = _process(block, in_mb, notes)
        same = [other for other in found if fact["pid"] and all(fact[key] == other[key] for key in _PLACE)]
        if same:
            notes.damage(block.line.quoted("process %s stands here twice" % fact["pid"]))
            found = [other for other in found if other not in same or other == fact]
            continue
        found.append(fact)
        if fact["npu"] is not None:
            busy[fact["npu"]] = block.line
    return found, busy, idle


def _process(block: Block, in_mb: bool, notes: Notes) -> Fact:
    reader = Reader(block, "a process", notes)
    npu = reader.text(h.NPU, "npu", WHOLE)
    chip = reader.text(h.CHIP, "chip", WHOLE)
    pid = reader.text(h.PID, "process id", _PID)
    reader.owner = "process %s" % (pid or "without id")
    memory = reader.text(h.PROCESS_MEMORY, "process memory", WHOLE) if in_mb else None
    return {
        "npu": npu,
        "chip": chip,
        "pid": pid,
        "name": reader.text(h.PROCESS_NAME, "process name", _ANY, blank_is_null=True),
        "memory_mb": None if memory is None else int(memory),
    }
