"""The cards: on the bus, as device nodes, and in the mouth of the driver that runs."""

from __future__ import annotations

import re
from typing import Any

from tests.compliance import judge
from tests.compliance.npu import Npus, good_version, installed_version

READ_AND_WRITE_FOR_GROUP = 0o660


def test_cards_are_on_the_bus(host: Any, expected: dict[str, Any]) -> None:
    script = 'cd /sys/bus/pci/devices && for d in *; do read v < "$d/vendor"; read i < "$d/device"; echo "$v:$i"; done'
    ids = [line.replace("0x", "").lower() for line in judge.output(host, "PCI bus", script).split()]
    wanted = {entry.lower() for entry in expected["npu_driver_pci_ids"]}
    found = sum(1 for each in ids if each in wanted)
    chips = expected["npu_driver_expected_count"]
    cards = chips // (expected.get("npu_driver_chips_per_card") or 1)  # the bus may show one function for both chips
    what = f"cards with PCI id {judge.listed(sorted(wanted))}"
    judge.true(host, what, found in {chips, cards}, str(chips), found)


def test_device_nodes_are_there_and_belong_to_the_account(host: Any, expected: dict[str, Any]) -> None:
    nodes = [*expected["npu_driver_device_nodes"], *expected["npu_driver_control_nodes"]]
    lines = host.run(f"stat -c '%n|%F|%U:%G|%a' {' '.join(nodes)}").stdout.splitlines()
    found = {line.split("|")[0]: line.split("|")[1:] for line in lines}
    missing = [node for node in nodes if node not in found]
    judge.equal(host, "missing device nodes", "none", judge.listed(missing))
    owner = f"{expected['npu_driver_account_name']}:{expected['npu_driver_account_group']}"
    for node in nodes:
        kind, owned_by, mode = found[node]
        judge.equal(host, f"kind of {node}", "character special file", kind)
        judge.equal(host, f"owner of {node}", owner, owned_by)
        usable = int(mode, 8) & READ_AND_WRITE_FOR_GROUP == READ_AND_WRITE_FOR_GROUP
        judge.true(host, f"mode of {node}", usable, "read and write for owner and group", mode)


def test_installed_driver_is_the_version_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    place = f"{expected['npu_driver_install_path']}/driver/version.info"
    good_version(host, place, expected, "npu_driver", installed_version(host, place))


def test_driver_is_installed_as_a_whole(host: Any, expected: dict[str, Any]) -> None:
    path = expected["npu_driver_install_path"]
    text = judge.content(host, "/etc/ascend_install.info")
    known = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    wanted = {
        "UserName": expected["npu_driver_account_name"],
        "UserGroup": expected["npu_driver_account_group"],
        "Driver_Install_Path_Param": path,
    }
    judge.equal(host, "/etc/ascend_install.info", wanted, {key: known.get(key, "(not there)") for key in wanted})
    tool = host.run("test -x %s", f"{path}/driver/tools/upgrade-tool")
    judge.true(host, f"{path}/driver/tools/upgrade-tool", tool.rc == 0, "an executable", "none")


def test_running_driver_is_the_installed_one_and_the_inventory_accepts_it(
    host: Any, expected: dict[str, Any], npus: Npus
) -> None:
    installed = installed_version(host, f"{expected['npu_driver_install_path']}/driver/version.info")
    found = npus.running_version or f"none ({npus.said})"
    judge.same_version(host, "driver that runs", installed, found)
    good_version(host, "driver that runs", expected, "npu_driver", found)


def test_no_unit_of_the_operator_is_left_stopped(host: Any) -> None:
    left = host.run("cat /var/lib/provision/drained 2>/dev/null").stdout.strip()
    judge.equal(host, "units that were stopped for a driver change and not started again", "none", left or "none")


def test_every_chip_is_healthy(host: Any, expected: dict[str, Any], npus: Npus) -> None:
    # one row with name and health for each chip, also where a card has two
    wanted = expected["npu_driver_expected_count"]
    judge.true(host, "chips in npu-smi", len(npus.cards) == wanted, wanted, f"{len(npus.cards)} ({npus.said})")
    cards, per_card = {number for number, _, _ in npus.cards}, expected.get("npu_driver_chips_per_card") or 1
    judge.equal(host, "cards in npu-smi", wanted // per_card, len(cards))
    ill = [f"card {number}: {health}" for number, _, health in npus.cards if health != "OK"]
    judge.equal(host, "cards that are not OK", "none", judge.listed(ill))


def test_cards_are_of_the_kind_in_the_inventory(host: Any, expected: dict[str, Any], npus: Npus) -> None:
    pattern = expected["npu_driver_chip_pattern"]
    other = [f"card {number}: {name}" for number, name, _ in npus.cards if not re.search(pattern, name)]
    judge.equal(
        host, f"cards whose name does not fit {pattern}", "none", judge.listed(other) if npus.cards else npus.said
    )
