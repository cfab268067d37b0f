"""The firmware: what lies on disk and what the cards run."""

from __future__ import annotations

from typing import Any

from tests.compliance import judge
from tests.compliance.npu import BOUNDED, firmware_of_cards, good_version, installed_version


def test_installed_firmware_is_the_version_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    place = f"{expected['npu_firmware_install_path']}/firmware/version.info"
    good_version(host, place, expected, "npu_firmware", installed_version(host, place))


def test_running_firmware_is_the_installed_one(host: Any, expected: dict[str, Any]) -> None:
    tool = f"{expected['npu_firmware_install_path']}/driver/tools/upgrade-tool"
    said = host.run(f"{BOUNDED} %s --device_index -1 --component -1 --version", tool)
    cards = firmware_of_cards(said.stdout)
    last = (said.stdout + said.stderr).strip().splitlines()[-1:]
    wanted = installed_version(host, f"{expected['npu_firmware_install_path']}/firmware/version.info")
    judge.true(host, "firmware that runs", cards, wanted, f"none: {judge.listed(last)}")
    for card, versions in cards.items():
        # a card has components of other makers, too, numbered in their own way: one of its versions is the package's
        carried = any(judge.is_same_version(wanted, each) for each in versions)
        judge.true(host, f"firmware that card {card} runs", carried, wanted, judge.listed(versions))
