"""Simulated cards look like cards to whoever reads sysfs or the configuration space."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.lab.site import pci


def test_configuration_space_has_the_ids_where_a_type_0_header_has_them() -> None:
    space = pci.config_space()
    assert len(space) == 256
    assert struct.unpack_from("<HH", space, 0) == (0x19E5, 0xD802)
    assert struct.unpack_from("<I", space, 8)[0] >> 8 == 0x120000
    assert struct.unpack_from("<HH", space, 0x2C) == (0x19E5, 0x3004)


def test_eight_functions_with_the_files_of_sysfs_are_written(tmp_path: Path) -> None:
    pci.write(tmp_path)
    functions = sorted(tmp_path.iterdir())
    assert len(functions) == 8
    for function in functions:
        read = {file.name: file.read_bytes() for file in function.iterdir()}
        assert read["vendor"] == b"0x19e5\n"
        assert read["device"] == b"0xd802\n"
        assert read["class"] == b"0x120000\n"
        assert read["subsystem_vendor"] == b"0x19e5\n"
        assert read["subsystem_device"] == b"0x3004\n"
        assert read["config"] == pci.config_space()
        # lspci reads seven ranges: six base addresses and the expansion ROM
        assert len(read["resource"].splitlines()) == 7


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in pci.write(tmp_path).rglob("*") if path.is_file()}
    after = {path: path.read_bytes() for path in pci.write(tmp_path).rglob("*") if path.is_file()}
    assert before == after
