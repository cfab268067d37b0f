"""npu-smi's table: captured layouts give facts, whatever else gives facts that are right or a clear refusal."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driver.explain_smi import understand

CASES = sorted((Path(__file__).parent / "npu_smi").glob("*.json"))
Fact = dict[str, Any]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_captured_output_is_understood(case: Path) -> None:
    sample = json.loads(case.read_text(encoding="utf-8"))
    assert understand(sample["output"]) == sample["facts"], sample["situation"]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_frames_line_ends_and_colours_say_nothing(case: Path) -> None:
    sample = json.loads(case.read_text(encoding="utf-8"))
    dressed = "\ufeff" + sample["output"].replace("\n", "\x1b[0m\r\n\x1b[32m").replace("|", "│")
    if sample["output"].strip():
        assert facts_of(understand(dressed)) == facts_of(sample["facts"])


def facts_of(found: Fact) -> Fact:
    return {key: found.get(key) for key in ("version", "chips", "processes", "code")}


# ---- tables made to measure, and what is done to them -------------------------------------------------------------

Table = dict[str, Any]


def some_host(dice: random.Random) -> Table:
    """Return the truth about a made-up host and how its npu-smi lays it out."""
    style = dice.choice(["a2", "a3", "duo", "old"])
    per_card = 2 if style in ("a3", "duo") else 1
    npus = sorted(dice.sample(range(16), dice.randint(1, 5)))
    chips, physical = [], 0
    for npu in npus:
        for chip in range(per_card):
            total = dice.choice([32768, 65536, 44280])
            chips.append(
                {
                    "npu": str(npu),
                    "chip": str(chip),
                    "name": {"a2": "910B2C", "a3": "Ascend910", "duo": "310P3", "old": "310"}[style],
                    "health": dice.choice(["OK", "OK", "OK", "Warning", "Alarm", "UNKNOWN"]),
                    "bus_id": f"0000:{dice.randint(1, 255):02X}:00.0",
                    "memory_used_mb": dice.randint(0, total),
                    "memory_total_mb": total,
                    "physical": str(physical),
                }
            )
            physical += 1
    processes = [
        {
            "npu": chip["npu"],
            "chip": chip["chip"],
            "pid": str(dice.randint(2, 4194304)),
            "name": dice.choice(["python3", "VLLMWorker_TP", "a b c"]),
            "memory_mb": dice.randint(1, 60000),
        }
        for chip in chips
        if dice.random() < 0.4
    ]
    return {"style": style, "version": "25.0.rc1.b080", "chips": chips, "processes": processes, "npus": npus}


def spread(cell: list[str], widths: list[int]) -> str:
    return " ".join(f"{text:<{width}}" for text, width in zip(cell, widths, strict=True))


def columns(host: Table) -> tuple[list[list[str]], list[list[str]], list[list[list[str]]]]:
    """Return headings of the first and second line by cell, and for every chip its two rows by cell."""
    hbm, physical = host["style"] in ("a2", "a3"), host["style"] in ("a3", "duo", "old")
    first = [["NPU", "Name"], ["Health"], ["Power(W)", "Temp(C)", "Hugepages-Usage(page)"]]
    second = [["Chip"], ["Bus-Id"], ["AICore(%)", "Memory-Usage(MB)"]]
    if physical:
        second[0].append("Phy-ID" if hbm else "Device")
    if hbm:
        second[2].append("HBM-Usage(MB)")
    rows = []
    for chip in host["chips"]:
        usage = f"{chip['memory_used_mb']:<5}/ {chip['memory_total_mb']}"
        below = [[chip["chip"]], [chip["bus_id"]], ["0", usage] if not hbm else ["0", "0    / 0", usage]]
        if physical:
            below[0].append(chip["physical"])
        rows.append(
            [
                [
                    [chip["npu"], chip["name"]],
                    [chip["health"]],
                    ["-" if chip["chip"] == "1" else "93.1", "36", "0    / 0"],
                ],
                below,
            ]
        )
    return first, second, rows


def draw(host: Table, parts: Any = None) -> list[str]:
    """Return the lines of npu-smi info for *host*, or for headings and rows that were changed."""
    first, second, rows = parts or columns(host)
    cells = max(len(first), len(second))
    widths = []
    for place in range(cells):
        column = [line[place] for line in (first, second, *(row for pair in rows for row in pair)) if place < len(line)]
        slots = max(map(len, column))
        widths.append([max(len(cell[slot]) for cell in column if slot < len(cell)) + 3 for slot in range(slots)])

    def line(row: list[list[str]]) -> str:
        return (
            "| "
            + "| ".join(
                spread([*cell, *[""] * (len(widths[at]) - len(cell))], widths[at]) for at, cell in enumerate(row)
            )
            + "|"
        )

    size = len(line(first))
    lengths = [sum(slot) + len(slot) for slot in widths]
    rule = "+" + "+".join("-" * (length) for length in lengths) + "+"
    rule = rule[: size - 1] + "+" if len(rule) >= size else rule + "-" * (size - len(rule) - 1) + "+"
    thick = rule.replace("-", "=")
    lines = [
        "+" + "-" * (size - 2) + "+",
        f"| npu-smi {host['version']:<24} Version: {host['version']}".ljust(size - 1) + "|",
        rule,
        line(first),
        line(second),
        thick,
    ]
    for at, pair in enumerate(rows):
        last = at + 1 == len(rows) or rows[at + 1][0][0][0] != pair[0][0][0]
        lines += [line(pair[0]), line(pair[1]), thick if last else "+" + "-" * (size - 2) + "+"]
    lines += [
        rule,
        "| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |",
        thick,
    ]
    for npu in host["npus"]:
        own = [process for process in host["processes"] if process["npu"] == str(npu)]
        lines += [
            f"| {one['npu']:<7} {one['chip']:<18}| {one['pid']:<14}| {one['name']:<25}| {one['memory_mb']:<24}|"
            for one in own
        ]
        lines += [] if own else [f"| No running processes found in NPU {npu}".ljust(95) + "|"]
        lines.append(thick)
    return lines


def assert_right_or_refused(text: str, host: Table, all_processes: bool = True) -> None:
    """Every fact is the truth, or it is missing and there is a note.

    A lost row among several processes of one NPU leaves no trace: then *all_processes* is False.
    """
    found = understand(text)
    truth = {(chip["npu"], chip["chip"]): chip for chip in host["chips"]}
    said = bool(found.get("not_understood") or found.get("code"))
    assert found["version"] in (host["version"], None), found["version"]
    seen = []
    for chip in found["chips"]:
        fitting = [at for at, one in truth.items() if all(value in (one[key], None) for key, value in chip.items())]
        assert fitting, (chip, text)
        assert said or None not in chip.values(), (chip, text)
        seen.append(fitting[0])
    assert len(seen) == len(set(seen)), text
    assert said or len(seen) == len(truth), text
    known = [{key: process[key] for key in process} for process in host["processes"]]
    for process in found["processes"]:
        fitting = [one for one in known if all(value in (one[key], None) for key, value in process.items())]
        assert fitting, (process, text)
        assert said or process in known, (process, text)
    assert said or not all_processes or len(found["processes"]) == len(known), text


def test_untouched_tables_are_understood_completely() -> None:
    for seed in range(30):
        host = some_host(random.Random(seed))
        found = understand("\n".join(draw(host)) + "\n")
        assert "not_understood" not in found, found
        assert_right_or_refused("\n".join(draw(host)) + "\n", host)


def drop_line(lines: list[str], dice: random.Random) -> list[str]:
    at = dice.randrange(len(lines))
    return lines[:at] + lines[at + 1 :]


def repeat_line(lines: list[str], dice: random.Random) -> list[str]:
    at = dice.randrange(len(lines))
    return [*lines[: at + 1], *lines[at:]]


def swap_lines(lines: list[str], dice: random.Random) -> list[str]:
    at = dice.randrange(len(lines) - 1)
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def insert_log(lines: list[str], dice: random.Random) -> list[str]:
    logs = [
        "DrvMngGetConsoleLogLevel failed. (g_conLogLevel=3)",
        "[ERROR] DRV(1,npu-smi):2026-08-01 dsmi failed",
        "",
        "2026-08-01 | WARN | slow",
        "0  1  2 / 3",
    ]
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(lines) + 1)
        lines = [*lines[:at], dice.choice(logs), *lines[at:]]
    return lines


def split_line(lines: list[str], dice: random.Random) -> list[str]:
    at = dice.randrange(len(lines))
    cut = dice.randrange(len(lines[at]))
    return [*lines[:at], lines[at][:cut], lines[at][cut:], *lines[at + 1 :]]


def join_lines(lines: list[str], dice: random.Random) -> list[str]:
    at = dice.randrange(len(lines) - 1)
    return [*lines[:at], lines[at] + lines[at + 1], *lines[at + 2 :]]


def lose_bar(lines: list[str], dice: random.Random) -> list[str]:
    at = dice.randrange(len(lines))
    bars = [place for place, char in enumerate(lines[at]) if char in "|+/"]
    place = dice.choice(bars)
    return [*lines[:at], lines[at][:place] + dice.choice(["", " "]) + lines[at][place + 1 :], *lines[at + 1 :]]


MUTATIONS: list[Callable[[list[str], random.Random], list[str]]] = [
    drop_line,
    repeat_line,
    swap_lines,
    insert_log,
    split_line,
    join_lines,
    lose_bar,
]


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_damaged_lines_are_right_or_refused(mutate: Callable[[list[str], random.Random], list[str]]) -> None:
    for seed in range(40):
        dice = random.Random(seed)
        host = some_host(dice)
        assert_right_or_refused("\n".join(mutate(draw(host), dice)) + "\n", host, mutate is not drop_line)


def test_several_damages_are_right_or_refused() -> None:
    for seed in range(80):
        dice = random.Random(1000 + seed)
        host = some_host(dice)
        lines = draw(host)
        for _ in range(2):
            lines = dice.choice(MUTATIONS)(lines, dice)
        assert_right_or_refused("\n".join(lines) + "\n", host, False)


def test_truncation_at_any_byte_is_right_or_refused() -> None:
    for seed in range(6):
        host = some_host(random.Random(seed))
        text = "\n".join(draw(host)) + "\n"
        # every byte of the table in six texts together
        for end in range(seed, len(text) - 1, 6):
            assert_right_or_refused(text[:end], host, False)


Parts = tuple[list[list[str]], list[list[str]], list[list[list[str]]]]


def places(parts: Parts, dice: random.Random) -> tuple[int, int, int]:
    """Return a heading line (0 or 1), a cell and a slot in it."""
    line = dice.randrange(2)
    cell = dice.randrange(len(parts[line]))
    return line, cell, dice.randrange(len(parts[line][cell]))


def everywhere(parts: Parts, line: int) -> list[list[list[str]]]:
    """Return the heading line and all rows below it."""
    return [parts[line], *(pair[line] for pair in parts[2])]


def drop_column(parts: Parts, dice: random.Random) -> None:
    line, cell, slot = places(parts, dice)
    for row in everywhere(parts, line):
        del row[cell][slot]


def add_column(parts: Parts, dice: random.Random) -> None:
    line, cell, slot = places(parts, dice)
    heading, values = dice.choice(
        [
            ("Fan Speed", ["40", "NA"]),
            ("ECC", ["0", "-"]),
            ("L2-Usage(MB)", ["1    / 2"]),
            ("Board", ["IT21 B2", "x"]),
            ("AICpu(%)", ["3"]),
        ]
    )
    for number, row in enumerate(everywhere(parts, line)):
        row[cell].insert(slot, dice.choice(values) if number else heading)


def add_cell(parts: Parts, dice: random.Random) -> None:
    at = dice.randrange(len(parts[0]) + 1)
    for line in (0, 1):
        for number, row in enumerate(everywhere(parts, line)):
            row.insert(at, [dice.choice(["7", "NA", "x y", ""]) if number else f"Extra{line}"])


def swap_in_cell(parts: Parts, dice: random.Random) -> None:
    line, cell, slot = places(parts, dice)
    for row in everywhere(parts, line):
        row[cell].append(row[cell].pop(slot))


def swap_cells(parts: Parts, dice: random.Random) -> None:
    order = list(range(len(parts[0])))
    dice.shuffle(order)
    for line in dice.choice([(0,), (1,), (0, 1)]):
        for row in everywhere(parts, line):
            row[:] = [row[at] for at in order]


def blank_value(parts: Parts, dice: random.Random) -> None:
    line, cell, slot = places(parts, dice)
    dice.choice(everywhere(parts, line)[1:])[cell][slot] = ""


def unavailable_value(parts: Parts, dice: random.Random) -> None:
    line, cell, slot = places(parts, dice)
    dice.choice(everywhere(parts, line)[1:])[cell][slot] = dice.choice(["NA", "-", "N/A"])


def heading_lost(parts: Parts, dice: random.Random) -> None:
    line, cell, slot = places(parts, dice)
    parts[line][cell][slot] = ""


def heading_unknown(parts: Parts, dice: random.Random) -> None:
    line, cell, slot = places(parts, dice)
    parts[line][cell][slot] = dice.choice(["Foo", "Foo Bar", "Foo(GB)"])


COLUMNS: list[Callable[[Parts, random.Random], None]] = [
    drop_column,
    add_column,
    add_cell,
    swap_in_cell,
    swap_cells,
    blank_value,
    unavailable_value,
    heading_lost,
    heading_unknown,
]


@pytest.mark.parametrize("change", COLUMNS, ids=lambda change: change.__name__)
def test_other_columns_are_right_or_refused(change: Callable[[Parts, random.Random], None]) -> None:
    for seed in range(40):
        dice = random.Random(seed)
        host = some_host(dice)
        parts = columns(host)
        change(parts, dice)
        if change is unavailable_value:
            assert_right_or_na("\n".join(draw(host, parts)) + "\n", host)
        else:
            assert_right_or_refused("\n".join(draw(host, parts)) + "\n", host)


def assert_right_or_na(text: str, host: Table) -> None:
    for chip in understand(text)["chips"]:
        fitting = [one for one in host["chips"] if all(value in (one[key], None) for key, value in chip.items())]
        assert fitting, (chip, text)
