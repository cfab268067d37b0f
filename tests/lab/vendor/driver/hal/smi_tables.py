"""The layouts of `npu-smi info`: plain (a chip per NPU), physical (A3: two per NPU, Phy-ID), small (310: no HBM)."""

from __future__ import annotations

import sys

sys.dont_write_bytecode = True
import davinci_state as state  # noqa: E402  # only the folder of this file has it

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Chip = dict[str, Any]
    Holding = list[tuple[int, str, int]]

# Widths of the three columns, blanks around the text included, and the headings of both rows.
WIDE = (27, 15, 52)
SMALL = (31, 17, 54)
USAGE = "Hugepages-Usage(page)"
HEADINGS = {
    "plain": (WIDE, "Chip", "AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)"),
    "physical": (WIDE, "Chip  Phy-ID", "AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)"),
    "small": (SMALL, "Chip    Device", "AICore(%)    Memory-Usage(MB)"),
}
PROCESS_WIDTHS = {WIDE: (27, 15, 26, 25), SMALL: (31, 17, 26, 27)}


def used_mb(chip: Chip, holding: Holding) -> int:
    base = int(state.card_fact(chip["index"], "hbm_used_mb", "3400"))
    return min(chip["hbm_mb"], base + sum(state.memory_mb(pid) for pid, _, index in holding if index == chip["index"]))


def border(widths: tuple[int, ...], sign: str) -> str:
    return "+" + "+".join(sign * width for width in widths) + "+"


def row(widths: tuple[int, ...], *texts: str) -> str:
    return "|" + "|".join(f" {text:<{width - 1}}" for text, width in zip(texts, widths)) + "|"  # noqa: B905


def first_values(chip: Chip, table: str) -> str:
    """Return power, temperature and huge pages of *chip*."""
    index = chip["index"]
    temperature = state.card_fact(index, "temperature", str(34 + index))
    if table == "small":
        return "{:<12} {:<17} {}".format(state.card_fact(index, "power", "NA"), temperature, "0     / 0")
    power = state.card_fact(index, "power", f"{90 + index * 1.3:.1f}") if chip["chip"] == 0 else "-"
    return "{:<11} {:<17} {}".format(power, temperature, "0    / 0")


def second_values(chip: Chip, table: str, ddr_mb: int, holding: Holding) -> str:
    """Return utilization and memory of *chip*."""
    used, total = used_mb(chip, holding), chip["hbm_mb"]
    if table == "small":
        return f"{0:<12} {used} / {total}"
    ddr = f"{ddr_mb // 6:<5}/ {ddr_mb}" if ddr_mb else "0    / 0"
    return f"{0:<11} {ddr:<17} {used:<5}/ {total}"


def second_name(chip: Chip, table: str) -> str:
    if table == "plain":
        return str(chip["chip"])
    return "{:<{}} {}".format(chip["chip"], 5 if table == "physical" else 7, chip["index"])


def chip_rows(chip: Chip, style: dict[str, Any], holding: Holding) -> list[str]:
    """Return the two rows of one chip."""
    table = style["table"]
    widths = HEADINGS[table][0]
    health = state.card_fact(chip["index"], "health", "OK")
    name = "{:<{}} {}".format(chip["npu"], 7 if table == "small" else 5, chip["product"])
    second = second_values(chip, table, style.get("ddr_mb", 0), holding)
    return [
        row(widths, name, health, first_values(chip, table)),
        row(widths, second_name(chip, table), chip["bus_id"], second),
    ]


def info(version: str, record: dict[str, Any], style: dict[str, Any]) -> list[str]:
    """Return `npu-smi info`: two rows per chip, then who uses it."""
    widths, second_heading, second_values_heading = HEADINGS[style["table"]]
    whole = sum(widths) + 2
    small = style["table"] == "small"
    title = f"{f'npu-smi {version}':<{49 if small else 33}}Version: {record['driver']}"
    first = "NPU     Name" if small else "NPU   Name"
    values = f"Power(W)     Temp(C)           {USAGE}" if small else f"Power(W)    Temp(C)           {USAGE}"
    lines = [border((whole,), "-"), row((whole,), title), border(widths, "-")]
    lines += [row(widths, first, "Health", values), row(widths, second_heading, "Bus-Id", second_values_heading)]
    lines.append(border(widths, "="))
    holding = state.processes()
    found = state.chips(record)
    between = border(widths, "-") if small else border((whole,), "-")
    for number, chip in enumerate(found):
        lines += chip_rows(chip, style, holding)
        last = number + 1 == len(found) or found[number + 1]["npu"] != chip["npu"]
        lines.append(border(widths, "=") if last else between)
    return lines + process_table(widths, found, holding)


def process_table(widths: tuple[int, int, int], found: list[Chip], holding: Holding) -> list[str]:
    """Return who uses the chips, NPU by NPU."""
    columns = PROCESS_WIDTHS[widths]
    # The fourth heading hangs over the border of the third column, as on the real thing.
    lines = [border(widths, "-"), row(columns, "NPU     Chip", "Process id", "Process name", "Process memory(MB)")]
    lines.append(border(widths, "="))
    for npu in dict.fromkeys(chip["npu"] for chip in found):
        places = {chip["index"]: chip["chip"] for chip in found if chip["npu"] == npu}
        own = [(pid, name, places[index]) for pid, name, index in holding if index in places]
        for pid, name, place in own:
            lines.append(row(columns, f"{npu:<7} {place}", str(pid), name, str(state.memory_mb(pid))))
        if not own:
            lines.append(row((sum(widths) + 2,), f"No running processes found in NPU {npu}"))
        lines.append(border(widths, "="))
    return lines
