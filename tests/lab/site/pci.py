"""PCI functions of simulated accelerator cards, as files that sysfs readers and lspci both understand."""

from __future__ import annotations

import struct
from pathlib import Path

VENDOR = 0x19E5
DEVICE = 0xD802
SUBSYSTEM_VENDOR = 0x19E5
SUBSYSTEM = 0x3004
CLASS = 0x120000
"""Processing accelerator, vendor-specific programming interface none."""
REVISION = 0x20
ADDRESSES = tuple(f"0000:{bus}:00.0" for bus in ("c1", "c2", "81", "82", "41", "42", "01", "02"))
"""Where the eight cards of an eight-card server of this kind sit, in the order of their ids."""
CONFIG_BYTES = 256


def config_space() -> bytes:
    """Return the 256 bytes of configuration space of one function: a type 0 header, little endian (PCI 3.0, 6.1)."""
    space = bytearray(CONFIG_BYTES)
    struct.pack_into("<HH", space, 0x00, VENDOR, DEVICE)
    struct.pack_into("<I", space, 0x08, CLASS << 8 | REVISION)
    struct.pack_into("<HH", space, 0x2C, SUBSYSTEM_VENDOR, SUBSYSTEM)
    return bytes(space)


def write(folder: Path) -> Path:
    """Write the functions below *folder* in the layout of /sys/bus/pci/devices; return *folder*."""
    texts = {
        "vendor": f"0x{VENDOR:04x}",
        "device": f"0x{DEVICE:04x}",
        "subsystem_vendor": f"0x{SUBSYSTEM_VENDOR:04x}",
        "subsystem_device": f"0x{SUBSYSTEM:04x}",
        "class": f"0x{CLASS:06x}",
        "revision": f"0x{REVISION:02x}",
        "irq": "0",
        "resource": "\n".join(["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 7),
    }
    for address in ADDRESSES:
        function = folder / address
        function.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (function / name).write_text(text + "\n", encoding="ascii")
        (function / "config").write_bytes(config_space())
    return folder
