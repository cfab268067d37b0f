"""What keeps a module out of the kernel: signatures that are demanded, another compiler, a build that failed before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.state import drained, kernel_modules, npu, remarks

HERE = Path(__file__).parent
SECURE_BOOT = kernel_modules.SECURE_BOOT.lstrip("/")


def put(root: Path, path: str, content: bytes | str) -> Path:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return target


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, []),
        ({SECURE_BOOT: b"\6\0\0\0\1"}, ["secure boot is on"]),
        ({SECURE_BOOT: b"\6\0\0\0\0"}, []),
        ({SECURE_BOOT: b"\6"}, []),
        ({kernel_modules.SIG_ENFORCE: "Y\n"}, ["module.sig_enforce is on"]),
        ({kernel_modules.SIG_ENFORCE: "N\n", "/proc/cmdline": "quiet module.sig_enforce=0"}, []),
        ({"/proc/cmdline": "root=/dev/x module.sig_enforce"}, ["module.sig_enforce is on"]),
        ({"/proc/cmdline": "module.sig_enforce=1"}, ["module.sig_enforce is on"]),
        ({kernel_modules.LOCKDOWN: "[none] integrity confidentiality\n"}, []),
        (
            {kernel_modules.LOCKDOWN: "none [integrity] confidentiality\n", SECURE_BOOT: b"\6\0\0\0\1"},
            ["secure boot is on", "the kernel is locked down (integrity)"],
        ),
    ],
)
def test_who_demands_signed_modules_is_named(tmp_path: Path, files: dict[str, bytes | str], words: list[str]) -> None:
    for path, content in files.items():
        put(tmp_path, path, content)
    assert kernel_modules.enforced(str(tmp_path)) == words


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Linux version 6.1.0-26-amd64 (d@k) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld 2.40)", "12.2.0"),
        ("Linux version 5.15.0-25-generic (b@b) (gcc (Ubuntu 11.2.0-19ubuntu1) 11.2.0, GNU ld 2.38)", "11.2.0"),
        ("Linux version 4.19.90-2107.aarch64 (abuild@x) (gcc version 7.3.0 (GCC)) #1 SMP", "7.3.0"),
        ("Linux version 5.10.0 (x@y) (clang version 15.0.0)", ""),
        ("", ""),
    ],
)
def test_the_compiler_of_the_kernel_is_read(text: str, version: str) -> None:
    assert kernel_modules.kernel_compiler(text) == version


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [("12.2.0", "12.3.0", True), ("7.3.0", "10.3.1", False), ("", "12.2.0", True), ("12.2.0", "", True)],
)
def test_compilers_are_compared_by_their_major_version(first: str, second: str, same: bool) -> None:
    assert kernel_modules.same_compiler(first, second) is same


def tree(root: Path, log: str, built: float = 0.0) -> None:
    """Make DKMS's tree with a build log of now, and a module that was built *built* seconds later."""
    place = kernel_modules.DKMS_TREE + "/1.0"
    now = put(root, place + "/build/make.log", log).stat().st_mtime
    if built:
        module = put(root, place + "/k1/x86_64/module/davinci_ascend.ko", "x")
        os.utime(module, (now + built, now + built))


FAILED = "cc1: error: x\nmake: *** [Makefile:1] Error 2\n"


@pytest.mark.parametrize(
    ("log", "built", "failed"),
    [("DKMS make.log\nok\n", 0.0, False), (FAILED, 0.0, True), (FAILED, 60.0, False), (FAILED, -60.0, True)],
)
def test_a_failed_build_counts_until_a_module_is_built(tmp_path: Path, log: str, built: float, failed: bool) -> None:
    tree(tmp_path, log, built)
    found = kernel_modules.dkms("k1", str(tmp_path))
    assert found == {"path": kernel_modules.DKMS_TREE, "failed": failed, "ours": False}


def test_a_build_is_ours_when_our_own_installer_said_so(tmp_path: Path) -> None:
    tree(tmp_path, FAILED)
    put(tmp_path, kernel_modules.OWN_LOG, "[ERROR]\x1b[31mDkms install failed, details in : x\n")
    assert kernel_modules.dkms("k1", str(tmp_path))["ours"]
    put(tmp_path, kernel_modules.OWN_LOG, "Driver package installed successfully!\n")
    assert not kernel_modules.dkms("k1", str(tmp_path))["ours"]


def test_no_tree_is_no_residue(tmp_path: Path) -> None:
    assert kernel_modules.dkms("k1", str(tmp_path)) == kernel_modules.unknown()["dkms"]


def host(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    document = json.loads((HERE / "converged.json").read_text(encoding="utf-8"))
    facts = document["facts"]
    for path, value in changes.items():
        area, key = path.split("__")
        facts[area][key] = value
    return document["wanted"], facts


def test_a_converged_host_has_no_remarks() -> None:
    assert remarks.of(*host()) == []


def test_another_compiler_is_worth_a_word_before_the_driver_is_built() -> None:
    wanted, facts = host(kernel_modules__kernel_gcc="7.3.0")
    assert remarks.of(wanted, facts) == []  # it is built already
    facts["npu_driver"]["complete"] = False
    (found,) = remarks.of(wanted, facts)
    assert found["area"] == "gcc"
    assert "the host's gcc is 12.2.0, the kernel was built with 7.3.0" in found["text"]


def test_a_board_that_nobody_knows_is_named() -> None:
    boards = [{"subsystem": "19e5:4711", "product": None, "count": 8}]
    (found,) = remarks.of(*host(npu__products=boards))
    assert (found["area"], "19e5:4711" in found["text"]) == ("board", True)


def test_one_function_for_a_card_of_two_chips_is_said() -> None:
    functions = [{"id": "19e5:d803", "subsystem": "19e5:3003"}] * 8
    wanted, facts = host(npu__pci=functions)
    wanted["npu_driver"].update(pci_ids=["19e5:d803"], expected_count=16, chips_per_card=2)
    (found,) = remarks.of(wanted, facts)
    assert (found["area"], "the bus shows 8 functions for 16 chips: one per card" in found["text"]) == ("bus", True)
    facts["npu"]["pci"] = functions * 2
    assert remarks.of(wanted, facts) == []


@pytest.mark.parametrize(("headers", "said"), [(True, 1), (False, 0)])
def test_the_next_kernel_is_named_when_the_driver_can_be_built_for_it(headers: bool, said: int) -> None:
    wanted, facts = host(os__kernel_next="9.9.9", os__kernel_next_headers=headers)
    found = remarks.of(wanted, facts)
    assert len(found) == said
    assert all("the next boot starts kernel 9.9.9 instead of" in entry["text"] for entry in found)


def test_products_follow_the_quadruple_and_chips_are_counted() -> None:
    functions = [{"id": "19e5:d803", "subsystem": pair} for pair in ("19e5:3003", "19e5:3003", "19e5:9999")]
    found = npu.products([*functions, {"id": "10de:1", "subsystem": "x:y"}], ["19e5:d803"], {"19E5:3003": "one"})
    assert found == [
        {"subsystem": "19e5:3003", "product": "one", "count": 2},
        {"subsystem": "19e5:9999", "product": None, "count": 1},
    ]
    assert npu.products(functions, ["19e5:d803"], {}) == []


@pytest.mark.parametrize(
    ("content", "units"),
    [('["a.service"]', ["a.service"]), ("[]", []), ("", []), ("not json", []), ('{"a": 1}', [])],
)
def test_the_mark_of_drained_units_is_read(tmp_path: Path, content: str, units: list[str]) -> None:
    path = tmp_path / "drained"
    path.write_text(content)
    assert drained.waiting(str(path)) == units
    assert drained.waiting(str(tmp_path / "none")) == []


def test_units_to_drain_are_those_that_run() -> None:
    found = drained.describe(["a.service", "b.service"], {"a.service": {"active": True}, "b.service": {}})
    assert found["active"] == ["a.service"]
