"""The playbooks: order of the plays, who is left alone, and that Ansible can read them."""

from __future__ import annotations

import json
import os
import re
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


REBOOT: list[dict[str, Any]] = yaml.safe_load((ROOT / "playbooks/reboot.yml").read_text(encoding="utf-8"))
REBOOT_HOST: list[dict[str, Any]] = REBOOT[2]["tasks"][0]["block"]


def place_of(module: str, words: str = "") -> int:
    """Return the place of the first task with *module* and *words* among those that reboot a host."""
    return next(n for n, task in enumerate(REBOOT_HOST) if module in task and words in str(task))


def test_a_reboot_is_refused_under_somebody_who_uses_the_cards_or_installs() -> None:
    reboot = place_of("ansible.builtin.reboot")
    holders = REBOOT_HOST[place_of("ansible.builtin.assert", "holders_of_cards")]
    assert "foreign | length == 0" in holders["ansible.builtin.assert"]["that"]
    assert place_of("card_users", "drained") < place_of("ansible.builtin.assert", "holders_of_cards") < reboot
    assert place_of("vendor_package_facts") < place_of("ansible.builtin.assert", "installers | length == 0") < reboot
    assert place_of("ansible.builtin.assert", "ansible_connection") < reboot


def test_drained_units_start_when_the_cards_answer() -> None:
    assert place_of("card_users", "restored") > place_of("ansible.builtin.command", "npu-smi.lock")


def test_drained_units_start_again_when_the_reboot_is_refused(tmp_path: Path) -> None:
    keep, end = REBOOT[2]["tasks"][0]["rescue"]
    assert "reboot_failure" in keep["ansible.builtin.set_fact"]
    (restore,) = end["block"]
    assert restore["card_users"] == {"state": "restored"}
    assert [task["register"] for task in REBOOT_HOST if "ansible.builtin.reboot" in task] == ["reboot_answer"]
    answers = {
        "refused": {},
        "stayed": {"reboot_answer": {"rebooted": False}},
        "down": {"reboot_answer": {"rebooted": True}},
    }
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"name": "restore", "ansible.builtin.debug": {"msg": "started"}, "when": restore["when"]}],
    }
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": answers}}))
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = ansible("-i", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml"))
    assert set(re.findall(r"^(\w+) \| SUCCESS", done.stdout, re.MULTILINE)) == {"refused", "stayed"}, done.stdout


def test_a_try_to_see_the_host_again_may_take_as_long_as_a_slow_login() -> None:
    assert REBOOT_HOST[place_of("ansible.builtin.reboot")]["ansible.builtin.reboot"]["connect_timeout"] >= 30


def test_no_wait_for_the_cards_is_without_a_limit() -> None:
    calls = [task["ansible.builtin.command"]["argv"] for task in REBOOT_HOST if "retries" in task]
    assert len(calls) == 2
    assert all("timeout -k 5 60" in " ".join(argv) for argv in calls)


def test_reboots_go_in_batches_of_hosts_that_need_one_and_stop_at_the_first_failure() -> None:
    _, choice, reboots = REBOOT
    # in the order of the inventory: a group made while playing has the order of the answers
    assert reboots["hosts"] == f"{choice['hosts']}:&{choice['tasks'][0]['ansible.builtin.group_by']['key']}"
    assert "serial" not in choice
    assert (reboots["serial"], reboots["max_fail_percentage"]) == ("{{ reboot_batches | default([1, 10]) }}", 0)


def test_after_a_canary_that_fails_no_other_host_is_touched(tmp_path: Path) -> None:
    # a local connection is refused, so every reboot here fails before it does anything
    pending = {"host_state": {"facts": {"reboot": {"pending": True}}}}
    quiet = {"host_state": {"facts": {"reboot": {"pending": False}}}}
    hosts = {"quiet": quiet, "canary": pending, "second": pending, "third": pending}
    group = {
        "hosts": hosts,
        "vars": {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable},
    }
    (tmp_path / "inventory.yml").write_text(json.dumps({"all": {"children": {"npu_driver": group}}}))
    done = ansible("-i", str(tmp_path / "inventory.yml"), "playbooks/reboot.yml")
    said = " ".join(done.stdout.split())
    assert done.returncode != 0, said
    assert 'canary: it is reached with connection "local"' in said
    assert "No further host is rebooted; left as they are, with a reboot still to come: second, third." in said
    assert "Mend canary, then run again." in said
    assert set(re.findall(r"^(\w+) \| FAILED", done.stdout, re.MULTILINE)) == {"canary"}, done.stdout


def ansible(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", *words],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )


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
    done = ansible("--syntax-check", "-i", str(tmp_path / "hosts.yml"), f"playbooks/{playbook}.yml")
    assert done.returncode == 0, done.stdout + done.stderr
