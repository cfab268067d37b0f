"""Ray: its containers run with exactly their cards, and together they offer every card of the service."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.compliance import judge

FORMAT = (
    '{"running":{{.State.Running}},"privileged":{{.HostConfig.Privileged}},'
    '"devices":{{json .HostConfig.Devices}},"image":{{json .Config.Image}}}'
)


def test_unit_keeps_the_container_across_boots(host: Any, member: dict[str, Any]) -> None:
    state = host.run("systemctl is-active %s; systemctl is-enabled %s", member["unit"], member["unit"]).stdout.split()
    judge.equal(host, member["unit"], "active, enabled", judge.listed(state))


def test_container_runs_with_its_devices(host: Any, expected: dict[str, Any], member: dict[str, Any]) -> None:
    subject = f"container {member['container']}"
    found = json.loads(judge.output(host, subject, "docker inspect --format %s %s", FORMAT, member["container"]))
    judge.true(host, subject, found["running"], "running", "stopped")
    judge.equal(host, f"image of {subject}", member["image"], found["image"])
    judge.equal(host, f"{subject} is privileged", "--privileged" in member["argv"], found["privileged"])
    devices = sorted(device["PathOnHost"] for device in found["devices"] or [])
    wanted = sorted({*member["devices"], *expected["npu_driver_control_nodes"]})
    judge.equal(host, f"devices of {subject}", wanted, devices)


@pytest.mark.items(role="head")  # it counts for all: its number is wrong when a worker is missing
def test_ray_offers_every_card(host: Any, member: dict[str, Any]) -> None:
    text = judge.output(host, f"ray status in {member['container']}", "docker exec %s ray status", member["container"])
    found = re.search(rf"/\s*(\d+(?:\.\d+)?)\s+{re.escape(member['resource'])}\b", text)
    total = float(found.group(1)) if found else 0.0
    judge.equal(host, f"cards that Ray offers as {member['resource']}", float(member["npus_total"]), total)
