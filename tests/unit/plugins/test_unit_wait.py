"""Waiting for a unit ends when it answers, and as soon as it can not answer any more."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.module_utils.converge import unit_wait
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.progress import Progress
from plugins.module_utils.converge.unit_wait import Wait


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Play systemd: `states` are given one after another, the last one for ever."""
    played: dict[str, Any] = {"states": [{"ActiveState": "active", "LoadState": "loaded", "NRestarts": "0"}]}

    def state(_: str) -> dict[str, str]:
        states = played["states"]
        return dict(states.pop(0) if len(states) > 1 else states[0])

    monkeypatch.setattr(unit_wait, "unit_state", state)
    monkeypatch.setattr(unit_wait, "journal", lambda _, lines=30: "ValueError: no room" if lines > 1 else "loading 40%")
    monkeypatch.setattr(unit_wait, "POLL_SECONDS", 0.01)
    return played


def active(restarts: int) -> dict[str, str]:
    return {"ActiveState": "active", "LoadState": "loaded", "NRestarts": str(restarts)}


@pytest.mark.usefixtures("host")
def test_it_ends_when_the_probe_is_content(progress: Progress) -> None:
    answers = iter([(False, "503"), (False, "503"), (True, "200")])
    assert unit_wait.wait(Wait("x.service", 5), lambda: next(answers), progress) >= 0
    assert progress.what == "wait for x.service: loading 40%"


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([{"ActiveState": "failed", "LoadState": "loaded", "Result": "exit-code"}], r"is failed \(exit-code\)"),
        ([{"ActiveState": "inactive", "LoadState": "loaded", "Result": "success"}], "is inactive"),
        ([{"LoadState": "not-found"}], "does not exist"),
        ([active(7), active(8), active(10)], "has ended and been started again 3 times"),
    ],
)
def test_it_ends_when_the_unit_gives_up(
    host: dict[str, Any], progress: Progress, states: list[dict[str, str]], words: str
) -> None:
    host["states"] = states
    with pytest.raises(RefusedError, match=rf"(?s)x.service {words}.*refused.*ValueError: no room"):
        unit_wait.wait(Wait("x.service", 5, most_restarts=3), lambda: (False, "connection refused"), progress)


def test_restarts_of_before_do_not_count(host: dict[str, Any], progress: Progress) -> None:
    host["states"] = [active(50)]
    answers = iter([(False, ""), (True, "")])
    unit_wait.wait(Wait("x.service", 5, most_restarts=1), lambda: next(answers), progress)


@pytest.mark.usefixtures("host")
def test_it_ends_with_the_time(progress: Progress) -> None:
    with pytest.raises(RefusedError, match="was not ready after 0 s"):
        unit_wait.wait(Wait("x.service", 0), lambda: (False, "503"), progress)


STATUS = """Node status
Active:
 1 node_1
Resources
Usage:
 0.0/4.0 CPU
 1.5/16.0 NPU
 0B/2.00GiB memory
"""


def test_resources_of_ray_are_read() -> None:
    assert unit_wait.resource_total(STATUS, "NPU") == (1.5, 16.0)
    assert unit_wait.resource_total(STATUS, "GPU") == (0.0, 0.0)


def test_ray_is_asked_inside_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        unit_wait, "command", lambda argv, _: (0, STATUS) if argv[:3] == ["docker", "exec", "c"] else (1, "")
    )
    assert unit_wait.ray_probe("c", "NPU", 16)() == (True, "Ray counts 16 NPU, expected 16")
    assert unit_wait.ray_probe("c", "NPU", 8)()[0] is False
    assert unit_wait.ray_probe("other", "NPU", 16)() == (False, "ray status ended with code 1: nothing")


def test_an_address_that_does_not_answer_is_not_ready() -> None:
    ready, seen = unit_wait.http_probe("http://127.0.0.1:9/health")()
    assert not ready
    assert "http://127.0.0.1:9/health" in seen
