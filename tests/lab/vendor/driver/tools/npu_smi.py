#!/usr/bin/env python3
"""npu-smi info [-l | -m | -t TYPE -i NPU [-c CHIP]]: what the simulated chips say, laid out as the vendor does.

The vendor forbids two calls at a time. A second call here gets a table that breaks off in the middle and still
ends with code 0: the worst that a reader can meet.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, "/usr/local/Ascend/driver/lib64/driver")
try:
    import davinci_chips as hardware
    import davinci_state as state
    import smi_tables as tables
except ImportError:
    sys.stderr.write(
        "npu-smi: error while loading shared libraries: libdrvdsmi_host.so: "
        "cannot open shared object file: No such file or directory\n"
    )
    raise SystemExit(127) from None

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Chip = dict[str, Any]

VERSION = "@VERSION@"
STYLE = "@STYLE@"
OLD = STYLE == "24"
WIDTH = 31


def row(key: str, value: object) -> str:
    return f"\t{key:<{WIDTH}}: {value}"


def npus(record: dict[str, Any]) -> dict[int, list[Chip]]:
    """Return the chips that answer by the NPU id that they belong to."""
    found: dict[int, list[Chip]] = {}
    for chip in state.chips(record):
        found.setdefault(chip["npu"], []).append(chip)
    return found


def listing(record: dict[str, Any]) -> list[str]:
    found = npus(record)
    lines = [row("Card Count" if OLD else "Total Count", len(found)), ""]
    for npu, chips in found.items():
        lines += [row("NPU ID", npu), row("Chip Count", len(chips)), ""]
    return lines


def mapping(record: dict[str, Any], style: dict[str, Any]) -> list[str]:
    physical = style["table"] == "physical"

    def columns(*texts: object) -> str:
        return "\t" + "".join(f"{text!s:<{WIDTH}}" for text in texts)

    def numbers(*values: object) -> tuple[object, ...]:
        return values if physical else values[:3]

    lines = [columns(*numbers("NPU ID", "Chip ID", "Chip Logic ID", "Chip Phy-ID"), "Chip Name")]
    logic = 0
    for npu, chips in npus(record).items():
        for chip in chips:
            name = style["mapping_name"].replace("<chip>", chip["product"])
            lines.append(columns(*numbers(npu, chip["chip"], logic, chip["index"]), name))
            logic += 1
        lines.append(columns(*numbers(npu, len(chips), "-", "-"), "MCU" if OLD else "Mcu"))
    return lines


def within(version: str, windows: str) -> bool:
    """Tell whether *version* lies in one of the windows `[7.0.0,7.5.99],[…]`."""

    def parts(text: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", text)]

    pairs = re.findall(r"\[([^,\]]+),([^\]]+)\]", windows)
    own = parts(version)
    return any(parts(low) <= own and own[: len(parts(high))] <= parts(high) for low, high in pairs)


def board(chip: Chip, record: dict[str, Any]) -> list[str]:
    compatible = within(record["firmware"], record["compatible_fw"])
    named = [] if OLD else [("Product Name", "IT21HMDB02-B2"), ("Model", "NA"), ("Manufacturer", "Huawei")]
    facts = [
        ("NPU ID", chip["npu"]),
        *named,
        ("Serial Number", state.card_fact(chip["index"], "serial", "10230000{:04d}".format(chip["npu"]))),
        ("Software Version", record["driver"]),
        ("Firmware Version", record["firmware"]),
        ("Compatibility", "OK" if compatible else "NOK"),
        ("Board ID", hardware.family()["chips"]["board_id"]),
        ("PCB ID", "A"),
        ("BOM ID", 1),
        ("PCIe Bus Info", chip["bus_id"]),
        ("Slot ID", 0),
        ("Class ID", "NA"),
        ("PCI Vendor ID", "0x19E5"),
        ("PCI Device ID", "0x" + chip["device"][2:].upper()),
        ("Subsystem Vendor ID", "0x" + chip["subsystem_vendor"][2:].upper()),
        ("Subsystem Device ID", "0x" + chip["subsystem_device"][2:].upper()),
        ("Chip Count", chip["chips_per_card"]),
    ]
    return [row(key, value) for key, value in facts]


def chip_board(chip: Chip, record: dict[str, Any]) -> list[str]:
    facts = [
        ("NPU ID", chip["npu"]),
        ("Chip ID", chip["chip"]),
        ("Chip Type", "Ascend"),
        ("Chip Name", chip["product"]),
        ("Chip Version", "V1"),
        ("Firmware Version", record["firmware"]),
    ]
    return [row(key, value) for key, value in facts]


def details(chip: Chip, kind: str) -> list[str]:
    """Return what `-t KIND` says besides the board; empty for a kind that there is not."""
    index = chip["index"]
    used = tables.used_mb(chip, state.processes())
    error = state.card_fact(index, "error_code", "NA")
    known: dict[str, list[tuple[str, object]]] = {
        "health": [
            ("Health Status", state.card_fact(index, "health", "OK")),
            ("Error Code", error),
            ("Error Information", "NA" if error == "NA" else "see the vendor's list of codes"),
        ],
        "usages": [
            ("HBM Capacity(MB)", chip["hbm_mb"]),
            ("HBM Usage Rate(%)", used * 100 // chip["hbm_mb"]),
            ("Aicore Usage Rate(%)", 0),
        ],
        "memory": [("HBM Capacity(MB)", chip["hbm_mb"]), ("HBM Temperature(C)", 40)],
        "common": [("Aicore Usage Rate(%)", 0), ("Temperature(C)", 34 + index), ("HBM Usage Rate(%)", 5)],
        "ecc": [("HBM Single Bit Error Count", 0), ("HBM Double Bit Error Count", 0)],
        "product": [("Product Type", "IT21HMDB02-B2")],
    }
    return [row("NPU ID", chip["npu"])] + [row(key, value) for key, value in known[kind]] if kind in known else []


def option(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments[:-1] else None


def answer(arguments: list[str], record: dict[str, Any]) -> tuple[list[str], int]:
    """Return lines and exit code for the arguments after `npu-smi`."""
    style = hardware.family()["chips"]
    if arguments == ["info"]:
        return tables.info(VERSION, record, style), 0
    if arguments == ["info", "-l"]:
        return listing(record), 0
    if arguments == ["info", "-m"]:
        return mapping(record, style), 0
    kind = option(arguments, "-t")
    if arguments[:1] != ["info"] or kind is None:
        return ["Invalid parameter. Try 'npu-smi -h' for more information."], 1
    return one(arguments, kind, record)


def one(arguments: list[str], kind: str, record: dict[str, Any]) -> tuple[list[str], int]:
    """Return lines and exit code for `-t KIND -i NPU [-c CHIP]`."""
    wanted, place = option(arguments, "-i"), option(arguments, "-c")
    chips = [chip for chip in state.chips(record) if str(chip["npu"]) == wanted]
    if not chips:
        return [f"Error parameter of -i: {wanted}"], 1
    chips = [chip for chip in chips if place is None or str(chip["chip"]) == place]
    if not chips:
        return [f"Error parameter of -c: {place}"], 1
    if kind == "board":
        return (board if place is None else chip_board)(chips[0], record), 0
    lines = [line for chip in chips for line in details(chip, kind)]
    return (lines, 0) if lines else ([f"Error parameter of -t: {kind}"], 1)


def alone() -> bool:
    """Take the tool's lock until this process ends; False when another call holds it."""
    if state.in_container() or not os.access(str(state.RUN), os.W_OK):
        return True
    handle = os.open(str(state.RUN / "npu-smi.lock"), os.O_CREAT | os.O_RDWR, 0o600)
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
