#!/usr/bin/env python3
"""npu-smi info [-l | -m | -t TYPE -i NPU [-c CHIP]]: what the simulated cards say, laid out as the vendor does.

The vendor forbids two calls at a time. A second call here gets a table that breaks off in the middle and still
ends with code 0: the worst that a reader can meet.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
import time
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, "/usr/local/Ascend/driver/lib64/driver")
try:
    import davinci_state as state
except ImportError:
    sys.stderr.write(
        "npu-smi: error while loading shared libraries: libdrvdsmi_host.so: "
        "cannot open shared object file: No such file or directory\n"
    )
    raise SystemExit(127) from None

VERSION = "@VERSION@"
STYLE = "@STYLE@"
OLD = STYLE == "24"
RULE = "+---------------------------+---------------+----------------------------------------------------+"
THICK = RULE.replace("-", "=")
LINE = "+" + "-" * 96 + "+"
WIDTH = 31
Card = dict[str, Any]


def row(key: str, value: object) -> str:
    return f"\t{key:<{WIDTH}}: {value}"


def used_mb(card: Card, holding: list[tuple[int, str, int]]) -> int:
    base = int(state.card_fact(card["index"], "hbm_used_mb", "3400"))
    return min(card["hbm_mb"], base + sum(state.memory_mb(pid) for pid, _, index in holding if index == card["index"]))


def table(record: dict[str, Any]) -> list[str]:
    """Return `npu-smi info`: two rows per card, then who uses it."""
    holding = state.processes()
    found = state.cards(record)
    lines = [
        LINE,
        f"| npu-smi {VERSION:<24} Version: {record['driver']:<53}|",
        RULE,
        "| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|",
        "| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |",
        THICK,
    ]
    for card in found:
        index = card["index"]
        health = state.card_fact(index, "health", "OK")
        power = state.card_fact(index, "power", f"{90 + index * 1.3:.1f}")
        temperature = state.card_fact(index, "temperature", str(34 + index))
        usage = f"{used_mb(card, holding):<5}/ {card['hbm_mb']}"
        lines += [
            f"| {index:<5} {card['product']:<20}| {health:<14}| {power:<11} {temperature:<17} {'0    / 0':<21}|",
            f"| {0:<26}| {card['bus_id']:<14}| {0:<11} {'0    / 0':<17} {usage:<21}|",
            THICK,
        ]
    return lines + process_table(found, holding)


def process_table(found: list[Card], holding: list[tuple[int, str, int]]) -> list[str]:
    lines = [
        RULE,
        "| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |",
        THICK,
    ]
    for card in found:
        own = [(pid, name) for pid, name, index in holding if index == card["index"]]
        for pid, name in own:
            lines.append(f"| {card['index']:<7} {0:<18}| {pid:<14}| {name:<25}| {state.memory_mb(pid):<24}|")
        if not own:
            lines.append(f"| {'No running processes found in NPU ' + str(card['index']):<95}|")
        lines.append(THICK)
    return lines


def listing(record: dict[str, Any]) -> list[str]:
    found = state.cards(record)
    lines = [row("Card Count" if OLD else "Total Count", len(found)), ""]
    for card in found:
        lines += [row("NPU ID", card["index"]), row("Chip Count", 1), ""]
    return lines


def mapping(record: dict[str, Any]) -> list[str]:
    def columns(*texts: object) -> str:
        return "\t" + "".join(f"{text!s:<{WIDTH}}" for text in texts)

    lines = [columns("NPU ID", "Chip ID", "Chip Logic ID", "Chip Name")]
    for logic, card in enumerate(state.cards(record)):
        lines.append(columns(card["index"], 0, logic, f"Ascend {card['product']}"))
        lines.append(columns(card["index"], 1, "-", "MCU" if OLD else "Mcu"))
    return lines


def within(version: str, windows: str) -> bool:
    """Tell whether *version* lies in one of the windows `[7.0.0,7.5.99],[…]`."""

    def parts(text: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", text)]

    pairs = re.findall(r"\[([^,\]]+),([^\]]+)\]", windows)
    own = parts(version)
    return any(parts(low) <= own and own[: len(parts(high))] <= parts(high) for low, high in pairs)


def board(card: Card, record: dict[str, Any]) -> list[str]:
    compatible = within(record["firmware"], record["compatible_fw"])
    named = [] if OLD else [("Product Name", "IT21HMDB02-B2"), ("Model", "NA"), ("Manufacturer", "Huawei")]
    facts = [
        ("NPU ID", card["index"]),
        *named,
        ("Serial Number", state.card_fact(card["index"], "serial", f"10230000{card['index']:04d}")),
        ("Software Version", record["driver"]),
        ("Firmware Version", record["firmware"]),
        ("Compatibility", "OK" if compatible else "NOK"),
        ("Board ID", "0x65"),
        ("PCB ID", "A"),
        ("BOM ID", 1),
        ("PCIe Bus Info", card["bus_id"]),
        ("Slot ID", 0),
        ("Class ID", "NA"),
        ("PCI Vendor ID", "0x19E5"),
        ("PCI Device ID", "0xD802"),
        ("Subsystem Vendor ID", "0x" + card["subsystem_vendor"][2:].upper()),
        ("Subsystem Device ID", "0x" + card["subsystem_device"][2:].upper()),
        ("Chip Count", 1),
    ]
    return [row(key, value) for key, value in facts]


def chip_board(card: Card, record: dict[str, Any]) -> list[str]:
    facts = [
        ("NPU ID", card["index"]),
        ("Chip ID", 0),
        ("Chip Type", "Ascend"),
        ("Chip Name", card["product"]),
        ("Chip Version", "V1"),
        ("Firmware Version", record["firmware"]),
    ]
    return [row(key, value) for key, value in facts]


def details(card: Card, kind: str) -> list[str]:
    """Return what `-t KIND` says besides the board; empty for a kind that there is not."""
    index = card["index"]
    used = used_mb(card, state.processes())
    error = state.card_fact(index, "error_code", "NA")
    known: dict[str, list[tuple[str, object]]] = {
        "health": [
            ("Health Status", state.card_fact(index, "health", "OK")),
            ("Error Code", error),
            ("Error Information", "NA" if error == "NA" else "see the vendor's list of codes"),
        ],
        "usages": [
            ("HBM Capacity(MB)", card["hbm_mb"]),
            ("HBM Usage Rate(%)", used * 100 // card["hbm_mb"]),
            ("Aicore Usage Rate(%)", 0),
        ],
        "memory": [("HBM Capacity(MB)", card["hbm_mb"]), ("HBM Temperature(C)", 40)],
        "common": [("Aicore Usage Rate(%)", 0), ("Temperature(C)", 34 + index), ("HBM Usage Rate(%)", 5)],
        "ecc": [("HBM Single Bit Error Count", 0), ("HBM Double Bit Error Count", 0)],
        "product": [("Product Type", "IT21HMDB02-B2")],
    }
    return [row("NPU ID", index)] + [row(key, value) for key, value in known[kind]] if kind in known else []


def option(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments[:-1] else None


def answer(arguments: list[str], record: dict[str, Any]) -> tuple[list[str], int]:
    """Return lines and exit code for the arguments after `npu-smi`."""
    whole = {("info",): table, ("info", "-l"): listing, ("info", "-m"): mapping}.get(tuple(arguments))
    if whole is not None:
        return whole(record), 0
    kind, wanted = option(arguments, "-t"), option(arguments, "-i")
    card = next((card for card in state.cards(record) if str(card["index"]) == wanted), None)
    if arguments[:1] != ["info"] or kind is None:
        return ["Invalid parameter. Try 'npu-smi -h' for more information."], 1
    if card is None:
        return [f"Error parameter of -i: {wanted}"], 1
    if kind == "board":
        return (chip_board if "-c" in arguments else board)(card, record), 0
    lines = details(card, kind)
    return (lines, 0) if lines else ([f"Error parameter of -t: {kind}"], 1)


def alone() -> bool:
    """Take the tool's lock until this process ends; False when another call holds it."""
    if state.in_container() or not os.access(state.RUN, os.W_OK):
        return True
    handle = os.open(state.RUN / "npu-smi.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def main(arguments: list[str]) -> int:
    if arguments in ([], ["-h"], ["--help"]):
        sys.stdout.write((__doc__ or "") + "\n")
        return 0
    if arguments == ["-v"]:
        sys.stdout.write(f"npu-smi version: {VERSION}\n")
        return 0
    try:
        record = state.loaded()
        forced = int(state.fact("smi_error", "0"))
        if forced:
            raise state.DcmiError(forced)
    except state.DcmiError as error:
        sys.stdout.write("DrvMngGetConsoleLogLevel failed. (g_conLogLevel=3)\n")
        sys.stdout.write(f"dcmi module initialize failed. ret is {error.code}\n")
        return 1
    first = alone()
    lines, code = answer(arguments, record)
    text = "\n".join(lines) + "\n"
    time.sleep(float(state.fact("smi_seconds", "0.3")))
    sys.stdout.write(text if first else text[: len(text) * 2 // 5])
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
