"""Commands on many hosts: answers by host, and a fault with advice for every way in which a host can refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver.ssh import Answer, Job, fan_out, fault

CONFIG = Path("ssh_config")


@pytest.mark.usefixtures("stubs")
def test_answers_come_back_by_host() -> None:
    jobs = {name: Job(("cat",), name.encode()) for name in ("a", "b", "c")}
    answers = fan_out(CONFIG, jobs, 10)
    assert {name: answer.out for name, answer in answers.items()} == {"a": "a", "b": "b", "c": "c"}
    assert fault(answers["a"], 10, "python3") is None


@pytest.mark.usefixtures("stubs")
@pytest.mark.parametrize(
    ("host", "kind", "advice"),
    [
        ("unknown1", "host key unknown", "known_hosts"),
        ("refused1", "connection refused", "sshd"),
        ("asks1", "sudo asks for a password", "NOPASSWD"),
        ("slow1", "time limit", "Log in"),
    ],
)
def test_a_refusing_host_is_named_with_advice(host: str, kind: str, advice: str) -> None:
    answer = fan_out(CONFIG, {host: Job(("true",))}, 0.5)[host]
    found = fault(answer, 0.5, "python3")
    assert found is not None
    assert (found.host, found.kind) == (host, kind)
    assert advice in found.advice
    assert str(found).startswith(f"{host}: ")


@pytest.mark.parametrize(
    ("code", "err", "kind"),
    [
        (127, "sudo: /opt/python: command not found", "no python"),
        (1, "bash: line 1: sudo: command not found", "no sudo"),
        (1, "operator is not in the sudoers file.", "no sudo"),
        (
            255,
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "host key changed",
        ),
        (255, "operator@192.0.2.1: Permission denied (publickey).", "login refused"),
        (255, "kex_exchange_identification: banner line too long", "ssh failed"),
        (1, "Traceback (most recent call last):\nMemoryError", "failed"),
    ],
)
def test_what_ssh_and_sudo_say_is_understood(code: int, err: str, kind: str) -> None:
    found = fault(Answer("node1", code, "", err, 0.1), 60, "/opt/python")
    assert found is not None
    assert found.kind == kind
