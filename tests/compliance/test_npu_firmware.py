"""The firmware: what lies on disk and what the cards run."""

from __future__ import annotations

import re
from typing import Any

from tests.compliance import judge


def test_installed_firmware_is_the_version_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    place = f"{expected['npu_firmware_install_path']}/firmware/version.info"
    found = re.search(r"(?m)^\s*Version\s*=\s*(\S+)", judge.content(host, place))
    judge.equal(host, place, expected["npu_firmware_version"], found.group(1) if found else "a file without Version=")


def test_running_firmware_is_the_version_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    tool = f"{expected['npu_firmware_install_path']}/driver/tools/upgrade-tool"
    said = host.run("%s --device_index -1 --component -1 --version", tool)
    found = sorted(set(re.findall(r"component version\(([^)]+)\)", said.stdout)))
    last = (said.stdout + said.stderr).strip().splitlines()[-1:]
    judge.equal(host, "firmware that runs", [expected["npu_firmware_version"]], found or f"none: {judge.listed(last)}")
