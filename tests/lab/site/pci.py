"""PCI functions of simulated accelerator cards, as files that sysfs readers and lspci both understand."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.lab.site.lanes import Cards

CLASS = 0x120000
"""Processing accelerator, vendor-specific programming interface none."""
REVISION = 0x20
BUSES = ("c1", "c2", "81", "82", "41", "42", "01", "02", "c3", "c4", "83", "84", "43", "44", "03", "04")
"""Where the chips of a server sit, in the order of their ids; each has a bus of its own."""
CONFIG_BYTES = 256


def config_space(cards: Cards) -> bytes:
    """Return the 256 bytes of configuration space of one function: a type 0 header, little endian (PCI 3.0, 6.1)."""
    space = bytearray(CONFIG_BYTES)
    struct.pack_into("<HH", space, 0x00, *_numbers(cards.device))
    struct.pack_into("<I", space, 0x08, CLASS << 8 | REVISION)
    struct.pack_into("<HH", space, 0x2C, *_numbers(cards.subsystem))
    return bytes(space)


def write(folder: Path, cards: Cards) -> Path:
    """Write the functions of *cards* below *folder* in the layout of /sys/bus/pci/devices; return *folder*.

    What is there already stays as it is: hosts that run look at it.
    """
    (vendor, device), (subsystem_vendor, subsystem_device) = _numbers(cards.device), _numbers(cards.subsystem)
    texts = {
        "vendor": f"0x{vendor:04x}",
        "device": f"0x{device:04x}",
        "subsystem_vendor": f"0x{subsystem_vendor:04x}",
        "subsystem_device": f"0x{subsystem_device:04x}",
        "class": f"0x{CLASS:06x}",
        "revision": f"0x{REVISION:02x}",
        "irq": "0",
        "resource": "\n".join(["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 7),
    }
    contents = {name: f"{text}\n".encode("ascii") for name, text in texts.items()} | {"config": config_space(cards)}
    for bus in BUSES[: cards.chips]:
        function = folder / f"0000:{bus}:00.0"
        function.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            if not (function / name).exists() or (function / name).read_bytes() != content:
                (function / name).write_bytes(content)
    return folder


def _numbers(quadruple: str) -> tuple[int, int]:
    """Return both numbers of an id such as 19e5:d802."""
    first, second = (int(part, 16) for part in quadruple.split(":"))
    return first, second
