"""Simulated cards look like cards to whoever reads sysfs or the configuration space."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.lab.site import pci
from tests.lab.site.lanes import Cards, cards

A2 = cards()["a2"]


def test_configuration_space_has_the_ids_where_a_type_0_header_has_them() -> None:
    space = pci.config_space(A2)
    assert len(space) == 256
    assert struct.unpack_from("<HH", space, 0) == (0x19E5, 0xD802)
    assert struct.unpack_from("<I", space, 8)[0] >> 8 == 0x120000
    assert struct.unpack_from("<HH", space, 0x2C) == (0x19E5, 0x3004)


def test_eight_functions_with_the_files_of_sysfs_are_written(tmp_path: Path) -> None:
    pci.write(tmp_path, A2)
    functions = sorted(tmp_path.iterdir())
    assert len(functions) == 8
    for function in functions:
        read = {file.name: file.read_bytes() for file in function.iterdir()}
        assert read["vendor"] == b"0x19e5\n"
        assert read["device"] == b"0xd802\n"
        assert read["class"] == b"0x120000\n"
        assert read["subsystem_vendor"] == b"0x19e5\n"
        assert read["subsystem_device"] == b"0x3004\n"
        assert read["config"] == pci.config_space(A2)
        # lspci reads seven ranges: six base addresses and the expansion ROM
        assert len(read["resource"].splitlines()) == 7


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in pci.write(tmp_path, A2).rglob("*") if path.is_file()}
    after = {path: path.read_bytes() for path in pci.write(tmp_path, A2).rglob("*") if path.is_file()}
    assert before == after


@pytest.mark.parametrize("kind", cards().values(), ids=cards())
def test_every_kind_of_cards_is_written_as_the_bus_would_show_it(tmp_path: Path, kind: Cards) -> None:
    pci.write(tmp_path, kind)
    functions = list(tmp_path.iterdir())
    assert len(functions) == kind.chips
    ids = {
        tuple((function / name).read_text(encoding="ascii").strip().removeprefix("0x") for name in ("vendor", "device"))
        for function in functions
    }
    assert ids == {tuple(kind.device.split(":"))}
    quadruple = struct.unpack_from("<HH", (functions[0] / "config").read_bytes(), 0x2C)
    assert "{:04x}:{:04x}".format(*quadruple) == kind.subsystem


def test_a_file_that_is_right_is_left_alone_because_hosts_look_at_it(tmp_path: Path) -> None:
    file = pci.write(tmp_path, A2) / "0000:c1:00.0/vendor"
    before = file.stat().st_mtime_ns
    file.with_name("device").write_text("0x0000\n", encoding="ascii")
    pci.write(tmp_path, A2)
    assert file.stat().st_mtime_ns == before
    assert file.with_name("device").read_text(encoding="ascii") == "0xd802\n"
