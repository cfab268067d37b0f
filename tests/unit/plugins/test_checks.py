"""What the checks of the cards make of versions and of the vendor's tools, without a host."""

from __future__ import annotations

import pytest

from tests.compliance import judge, npu

TOOL = """{
Get component version(7.8.0.6.201) succeed for deviceId(0), componentType(0).
\t{"device_id":0, "component":nve, "version":7.8.0.6.201}
Get component version(1.2) succeed for deviceId(0), componentType(1).
Get component version(7.1.0.3.220) succeed for deviceId(1), componentType(0).
}
"""


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ("25.5.1", "25.5.1", True),
        ("25.0.rc1", "v25.0.RC1.B080", True),
        ("25.0.rc1.b080", "25.0.rc1", True),
        ("25.0.rc1.b080", "25.0.rc1.b090", False),
        ("25.0", "25.0.rc1", False),
        ("25.5.1", "25.5.10", False),
        ("25.5.1", "none (code 1: no output)", False),
    ],
)
def test_a_version_may_be_spelled_otherwise(wanted: str, found: str, same: bool) -> None:
    assert judge.is_same_version(wanted, found) is same


def test_the_firmware_of_each_card_is_read() -> None:
    assert npu.firmware_of_cards(TOOL) == {"0": ["1.2", "7.8.0.6.201"], "1": ["7.1.0.3.220"]}
    assert npu.firmware_of_cards("Get device info failed, ret is -8005") == {}


def test_the_monitor_is_asked_with_a_limit_and_alone() -> None:
    asked: list[str] = []

    class Host:
        def run(self, command: str) -> None:
            asked.append(command)

    assert npu.Npus(Host()).result is None
    assert "flock -w 60 /run/provision/npu-smi.lock timeout -k 5 60 npu-smi info" in asked[0]
