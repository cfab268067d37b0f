"""Filters of the NPU roles and of the reboot's play."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.filter import npu


def test_two_files_of_one_name_keep_apart() -> None:
    found = npu.copies_in(["/a/root.pem", "/b/root.pem"], "/cache/root")
    assert [entry["dest"] for entry in found] == ["/cache/root0-root.pem", "/cache/root1-root.pem"]
    assert [entry["src"] for entry in found] == ["/a/root.pem", "/b/root.pem"]


@pytest.mark.parametrize(
    ("seen", "asks"),
    [
        ({}, False),
        ({"npu_driver_reboot_needed": True}, True),
        ({"npu_firmware_reboot_needed": True}, True),
        ({"host_state": {"facts": {"reboot": {"pending": True}}}}, True),
        ({"host_state": {"facts": {}}}, False),
        ({"npu_driver_reboot_needed": True, "reboot_done": True}, False),
        ({"host_state": {"facts": {"reboot": {"pending": True}}}, "reboot_done": True}, False),
    ],
)
def test_who_asks_for_a_reboot(seen: dict[str, Any], asks: bool) -> None:
    assert npu.asks_for_reboot(seen) is asks


def test_hosts_that_are_left_are_those_that_still_need_one() -> None:
    hosts = {
        "a": {"npu_driver_reboot_needed": True, "reboot_done": True},
        "b": {"npu_driver_reboot_needed": True},
        "c": {},
    }
    assert npu.left_to_reboot(["a", "b", "c"], hosts) == ["b"]
