"""The playbooks: order of the plays, who is left alone, and that Ansible can read them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SITE: list[dict[str, Any]] = yaml.safe_load((ROOT / "playbooks/site.yml").read_text(encoding="utf-8"))


def roles_in_order() -> list[str]:
    return [play["roles"][0]["role"] for play in SITE if play.get("roles")]


def test_firmware_goes_before_the_driver_on_hosts_that_have_one_and_after_it_elsewhere() -> None:
    order = roles_in_order()
    driver = order.index("npu_driver")
    assert [order[driver - 1], order[driver + 1]] == ["npu_firmware", "npu_firmware"]
    before, after = [
        play["pre_tasks"][0]["when"] for play in SITE if play["hosts" if "hosts" in play else "name"] == "npu_firmware"
    ]
    assert "not host_state.facts.npu_driver.complete" in before
    assert after == before.replace("not host_state.facts.npu_driver.complete", "host_state.facts.npu_driver.complete")


def test_the_reboot_comes_after_both_packages_and_before_the_runtime() -> None:
    names = [
        play["roles"][0]["role"] if play.get("roles") else play.get("ansible.builtin.import_playbook", "")
        for play in SITE
    ]
    last_package = max(index for index, name in enumerate(names) if name in {"npu_driver", "npu_firmware"})
    assert last_package < names.index("reboot.yml") < names.index("ascend_docker_runtime")


def tasks_of(playbook: str) -> list[dict[str, Any]]:
    plays = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text(encoding="utf-8"))
    return [task for play in plays for task in play.get("tasks", [])]


def test_a_reboot_is_refused_under_somebody_who_uses_the_cards() -> None:
    tasks = tasks_of("reboot")
    refusal = next(task for task in tasks if "holders_of_cards" in str(task.get("vars")))
    assert "foreign | length == 0" in refusal["ansible.builtin.assert"]["that"]
    assert tasks.index(refusal) < next(n for n, task in enumerate(tasks) if "ansible.builtin.reboot" in task)


def test_no_wait_for_the_cards_is_without_a_limit() -> None:
    calls = [task["ansible.builtin.command"]["argv"] for task in tasks_of("reboot") if "retries" in task]
    assert len(calls) == 2
    assert all("timeout -k 5 60" in " ".join(argv) for argv in calls)


def test_a_teardown_is_refused_before_it_removes_anything() -> None:
    plays = yaml.safe_load((ROOT / "playbooks/teardown.yml").read_text(encoding="utf-8"))
    assert plays[0]["ansible.builtin.import_playbook"] == "observe.yml"
    assert plays[1]["any_errors_fatal"]
    refusal, stop = plays[1]["tasks"]
    assert "foreign | length == 0" in refusal["ansible.builtin.assert"]["that"]
    assert "managed" in stop["loop"]
    assert all("purge" in task["when"] for task in plays[1]["tasks"])


def test_every_role_leaves_hosts_without_drift_alone() -> None:
    for play in SITE:
        if play.get("roles"):
            tasks = [task for task in play["pre_tasks"] if task.get("ansible.builtin.meta") == "end_host"]
            assert len(tasks) == 1, play["name"]
            assert f"host_state.drift.{play['hosts']} | default([]) | length == 0" in str(tasks[0]["when"]), play[
                "name"
            ]


@pytest.mark.parametrize("playbook", ["site", "observe", "reboot", "teardown"])
def test_ansible_reads_the_playbook(playbook: str, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {node1: {}}}\n")
    command = [
        sys.executable,
        "-m",
        "ansible",
        "playbook",
        "--syntax-check",
        "-i",
        str(tmp_path / "hosts.yml"),
        f"playbooks/{playbook}.yml",
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
