"""A real run of Ansible with a secret: it gets there, and nothing that the run leaves behind has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from driver import paths
from driver.events import Event
from driver.fleet import Fleet
from driver.request import Request
from driver.runner import Running, RunResult
from driver.vaults import Secrets

VALUE = "swordfish-4711"
WANTED = {
    "BECOME": {"key": "connection.become_password", "role": "", "env": "SITE_SUDO", "vault": ""},
    "OBSUTIL_ACCESS_KEY": {"key": "obsutil.access_key", "role": "obsutil", "env": "SITE_KEY", "vault": ""},
}
INVENTORY = """\
all:
  hosts:
    node1: {ansible_connection: local}
  vars:
    ansible_become_password: "{{ lookup('ansible.builtin.env', 'PROVISION_SECRET_BECOME') }}"
"""
# what must never be done with a secret: shown, and shown when it fails
PLAYBOOK = """\
- name: Show it
  hosts: all
  gather_facts: false
  tasks:
    - name: Say the password
      ansible.builtin.debug:
        msg: "{{ ansible_become_password | length }} characters: {{ ansible_become_password }}"
    - name: Say the key
      ansible.builtin.debug:
        msg: "the key is {{ lookup('ansible.builtin.env', 'PROVISION_SECRET_OBSUTIL_ACCESS_KEY') or 'unknown' }}"
    - name: Fail with it
      ansible.builtin.fail:
        msg: "refused {{ ansible_become_password }}"
"""


@pytest.fixture
def fleet(tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    rendered = tmp_path / "rendered"
    rendered.mkdir()
    (rendered / "hosts.yml").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / "show.yml").write_text(PLAYBOOK, encoding="utf-8")
    monkeypatch.setattr(paths, "PLAYBOOKS", tmp_path)
    monkeypatch.setenv("SITE_SUDO", VALUE)
    return replace(fleet, rendered=rendered, secrets=Secrets(tmp_path, WANTED))


def played(fleet: Fleet, folder: Path, request: Request) -> tuple[RunResult, list[Event]]:
    folder.mkdir()
    heard: list[Event] = []
    running = Running(fleet, request, folder, heard.append)
    while running.alive():
        running.wait(1)
    return running.result(), heard


def test_a_secret_is_in_nothing_that_a_run_leaves(fleet: Fleet, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result, heard = played(fleet, folder, Request("show.yml", tmp_path / "lock", removes=True))
    said = "\n".join(event.line() for event in heard)
    assert f"{len(VALUE)} characters: …" in result.log.read_text(encoding="utf-8"), "the secret did not get there"
    assert "the key is unknown" in result.log.read_text(encoding="utf-8"), "a run got a secret that it has no use for"
    assert [failure.message for failure in result.failures] == ["refused …"]
    assert VALUE not in said
    left = [file for file in folder.rglob("*") if file.is_file()]
    assert len(left) >= 2
    assert [file.name for file in left if VALUE in file.read_text(encoding="utf-8", errors="replace")] == []
