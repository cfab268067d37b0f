"""Every family of chips: its packages, its nodes, and how npu-smi lays it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.vendor.conftest import CHIPS_910B, Sandbox, started

TOOLS = "/usr/local/Ascend/driver/tools"


@dataclass(frozen=True)
class Family:
    """A host with one kind of cards, and what is to be seen on it."""

    prefix: str
    bus: tuple[str, ...]
    rows: tuple[str, ...]
    mapping: tuple[str, ...]
    nodes: int
    ports: bool


FAMILIES = {
    "910": Family(
        "Ascend-hdk-910",
        ("0xd801", "0x0200", "0x0100", "8"),
        (
            "| 7     910A                | OK            | 99.1        41                0    / 0             |",
            "| 0                         | 0000:08:00.0  | 0           2610 / 15665      3400 / 32768         |",
        ),
        ("7 0 7 Ascend 910A", "7 1 - Mcu"),
        11,
        True,
    ),
    "a3": Family(
        "Atlas-A3-hdk",
        ("0xd803", "0x19e5", "0x3003", "16"),
        (
            "| Chip  Phy-ID              | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |",
            "| 7     Ascend910           | OK            | -           49                0    / 0             |",
            "| 1     15                  | 0000:10:00.0  | 0           0    / 0          3400 / 65536         |",
            "| No running processes found in NPU 7                                                            |",
        ),
        ("7 1 15 15 Ascend910", "7 2 - - Mcu"),
        19,
        True,
    ),
    "duo": Family(
        "Ascend-hdk-310p",
        ("0xd500", "0x0200", "0x0110", "4"),
        (
            "| Chip    Device                | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |",  # noqa: E501
            "| 2       310P3                 | OK              | NA           37                0     / 0             |",  # noqa: E501
            "| 1       3                     | 0000:04:00.0    | 0            3400 / 43693                            |",  # noqa: E501
            "| No running processes found in NPU 2                                                                    |",  # noqa: E501
        ),
        ("2 1 3 Ascend 310P3", "2 2 - Mcu"),
        7,
        False,
    ),
    "300i-pro": Family(
        "Ascend-hdk-310p",
        ("0xd500", "0x0200", "0x0100", "2"),
        (
            "| 32      310P3                 | OK              | NA           35                0     / 0             |",  # noqa: E501
            "| 0       1                     | 0000:02:00.0    | 0            3400 / 21527                            |",  # noqa: E501
        ),
        ("32 0 1 Ascend 310P3",),
        5,
        False,
    ),
    "310b": Family(
        "Ascend-hdk-310b",
        ("0xd107", "0x0000", "0x0000", "1"),
        ("| 0       310B1                 | OK              | NA           34                0     / 0             |",),
        ("0 0 0 310B1",),
        2,
        False,
    ),
}


@pytest.fixture(scope="module", params=FAMILIES)
def running(request, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Family]]:
    """A host of each family with its driver and firmware running."""
    family = FAMILIES[request.param]
    with started(tmp_path_factory.mktemp("family"), packages, family.bus) as host:
        driver = f"{family.prefix}-npu-driver_25.5.1_linux-$(uname -m | tr _ -).run"
        done = host.run(f"bash {driver} --full --quiet --install-for-all")
        assert (done.returncode, "WARNING]The current" in done.stdout) == (2, False), done.stdout
        assert "no chip matching" not in done.stdout
        firmware = host.ok(f"bash {family.prefix}-npu-firmware_7.8.0.6.201.run --full --quiet")
        assert f"The firmware of [{family.bus[3]}] chips are successfully upgraded." in firmware
        host.reboot()
        yield host, family


def test_table_is_laid_out_as_the_family_does(running: tuple[Sandbox, Family]) -> None:
    host, family = running
    lines = host.ok("npu-smi info").splitlines()
    assert len({len(line) for line in lines}) == 1, "a table has one width"
    for row in family.rows:
        assert row in lines, "\n".join(lines)


def test_mapping_names_every_chip(running: tuple[Sandbox, Family]) -> None:
    host, family = running
    lines = [" ".join(line.split()) for line in host.ok("npu-smi info -m").splitlines()]
    for row in family.mapping:
        assert row in lines, lines


def test_nodes_are_those_of_the_family(running: tuple[Sandbox, Family]) -> None:
    host, family = running
    assert len(host.ok("ls -d /dev/davinci* /dev/devmm_svm /dev/hisi_hdc 2>/dev/null; true").split()) == family.nodes
    chips = host.ok(f"{TOOLS}/upgrade-tool --device_index -1 --boot_status").count("boot status:16")
    assert str(chips) == family.bus[3]


def test_only_chips_with_ports_have_the_tool_for_them(running: tuple[Sandbox, Family]) -> None:
    host, family = running
    last = int(family.bus[3]) - 1
    done = host.run(f"{TOOLS}/hccn_tool -i {last} -link -g")
    assert (done.returncode, done.stdout) == ((0, "link status: UP\n") if family.ports else (127, ""))


def test_board_names_the_device(running: tuple[Sandbox, Family]) -> None:
    host, family = running
    npu = host.ok("npu-smi info -l").split("NPU ID")[1].split()[1]
    board = host.ok(f"npu-smi info -t board -i {npu}")
    assert f"PCI Device ID                  : 0x{family.bus[0][2:].upper()}" in board
    assert "Compatibility                  : OK" in board
    assert "Error parameter of -i" in host.run("npu-smi info -t board -i 999").stdout


def test_310b_has_control_nodes_of_its_own(running: tuple[Sandbox, Family]) -> None:
    host, family = running
    own = host.run("ls /dev/svm0 /dev/ts_aisle").returncode == 0
    assert own == (family.bus[0] == "0xd107")


def test_package_of_another_family_only_warns(running: tuple[Sandbox, Family]) -> None:
    host, _ = running
    other = host.run("bash Ascend-hdk-910b-npu-firmware_7.8.0.6.201.run --full", stdin="n\n")
    assert "There is no chip matching the firmware package." in other.stdout
    assert other.returncode == 0


def test_names_of_the_cards_can_be_others(packages: Path, tmp_path: Path) -> None:
    with started(tmp_path, packages, CHIPS_910B) as host:
        host.run("bash Ascend-hdk-910b-npu-driver_25.5.1_linux-$(uname -m | tr _ -).run --full --quiet")
        host.ok("echo 3 4 5 6 7 8 9 10 >/var/lib/davinci-sim/npu_ids")
        host.reboot()
        assert "| 10    910B2 " in host.ok("npu-smi info")
        assert "Health Status                  : OK" in host.ok("npu-smi info -t health -i 10 -c 0")
