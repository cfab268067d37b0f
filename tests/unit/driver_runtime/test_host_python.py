"""A host whose Python Ansible does not run on is refused in one line that says both ways out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from driver import host_python
from driver.errors import Unreachable
from driver.ssh import Answer, fault

ROOT = Path(__file__).resolve().parents[3]


def docs(**pythons: str) -> dict[str, dict[str, Any]]:
    return {host: {"facts": {"os": {"python": python}}} for host, python in pythons.items()}


def test_the_installed_ansible_says_what_it_needs() -> None:
    assert [part.isdigit() for part in host_python.oldest().split(".")] == [True, True]


def test_an_old_python_is_refused_with_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_python, "oldest", lambda: "3.8")
    expected = (
        r"^old: its Python is 3\.7\.9, .* needs 3\.8 .*\(connection\.python\).*constraints-python37-hosts\.txt -e \."
    )
    with pytest.raises(Unreachable, match=expected) as fault:
        host_python.require(docs(old="3.7.9", new="3.10.2"), ["old", "new"])
    assert "new:" not in str(fault.value)


@pytest.mark.parametrize("python", ["3.8.0", "3.11.2", ""])
def test_a_python_that_is_new_enough_or_unknown_is_fine(monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    monkeypatch.setattr(host_python, "oldest", lambda: "3.8")
    host_python.require(docs(node1=python), ["node1"])


def test_only_hosts_that_are_played_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_python, "oldest", lambda: "3.8")
    host_python.require(docs(old="3.7.9"), [])


def test_a_host_that_came_along_was_started_by_ansible_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_python, "oldest", lambda: "3.8")
    host_python.require(docs(new="3.11.2"), ["new", "guest"])
    with pytest.raises(Unreachable, match="old: its Python is"):
        host_python.require(docs(old="3.7.9"), ["guest", "old"])


def test_an_ansible_that_does_not_say_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_python, "oldest", lambda: "")
    host_python.require(docs(old="3.7.9"), ["old"])


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_the_constraints_are_the_requirements_but_for_ansible_and_its_resolver() -> None:
    ours, theirs = pins("requirements.txt"), pins(host_python.CONSTRAINTS)
    assert set(ours) == set(theirs)
    assert {name for name in ours if ours[name] != theirs[name]} == {"ansible-core", "resolvelib"}
    assert theirs["ansible-core"].startswith("2.17.")


def test_a_python_that_not_even_the_observation_runs_on_is_named() -> None:
    said = '  File "<stdin>", line 3\nSyntaxError: future feature annotations is not defined\n'
    found = fault(Answer("old", 1, "", said, 0.1), 5.0, "/usr/bin/python3")
    assert found is not None
    assert (found.kind, found.advice) == (
        "Python too old",
        "Name a Python of the host from 3.7 on in site.yml (connection.python)",
    )
