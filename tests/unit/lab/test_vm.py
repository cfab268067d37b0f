"""The virtual machine of the simulated site: names, and that only its own process is taken for it."""

from __future__ import annotations

import os
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.lab.site import vm
from tests.lab.site.errors import LabError
from tests.lab.site.layout import Layout

MACHINE = vm.VirtualMachine("vm1", IPv4Address("10.77.0.121"), Path("/nowhere"))


def test_interface_and_hardware_address_follow_the_address() -> None:
    assert MACHINE.tap == "plabvm121"
    assert MACHINE.hardware_address == "52:54:00:77:00:79"


def test_the_name_of_the_interface_fits_into_the_kernel() -> None:
    last = vm.VirtualMachine("vm9", IPv4Address("10.77.0.254"), Path("/nowhere"))
    assert len(last.tap) <= 15


def test_a_machine_without_a_pid_file_does_not_run(tmp_path: Path) -> None:
    assert not vm.running(Layout(tmp_path), MACHINE)


def test_somebody_elses_process_is_not_taken_for_the_machine(tmp_path: Path) -> None:
    folder = tmp_path / "vm" / MACHINE.name
    folder.mkdir(parents=True)
    (folder / "pid").write_text(f"{os.getpid()}\n", encoding="ascii")  # a number that another process has by now
    assert not vm.running(Layout(tmp_path), MACHINE)
    assert not vm.stop(Layout(tmp_path), MACHINE)


def test_two_kernels_in_the_root_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz-1").touch()
    (tmp_path / "vmlinuz-2").touch()
    with pytest.raises(LabError, match=r"found 2 files vmlinuz-\*, expected one"):
        vm._only(tmp_path, "vmlinuz-*")
