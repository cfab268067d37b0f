"""The modules as Ansible runs them: packed into an archive that is gone when the agent still works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.move import control

from .conftest import SIZES
from .hosts import SECRET, Host, entries

ROOT = Path(__file__).resolve().parents[3]
Make = Callable[[str], Host]


def run(module: str, arguments: dict[str, Any], *more: str) -> dict[str, Any]:
    """Return what the *module* says on this machine."""
    argv = [str(Path(sys.executable).with_name("ansible")), "localhost", "-c", "local", "-m", module]
    argv += ["-a", json.dumps(arguments), "-e", f"ansible_python_interpreter={sys.executable}", *more]
    given = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "minimal"}
    done = subprocess.run(argv, capture_output=True, text=True, env=given, timeout=120, check=False, cwd=ROOT)
    _, _, document = done.stdout.partition("=> ")
    assert document, done.stdout + done.stderr
    return dict(json.loads(document))


@pytest.fixture
def asked(hosts: Make) -> Iterator[tuple[Host, dict[str, Any]]]:
    """Return a host and the arguments with which it would receive from an origin that runs."""
    origin = hosts("origin").fill(SIZES).wants(entries(SIZES), [], "hold").start()
    host = hosts("h1")
    one = {"name": "m", "folder": str(host.data), "files": entries(SIZES)}
    yield host, {
        "sets": [one], "upstreams": [{"name": "origin", "address": "127.0.0.1", "port": origin.port}],
        "port": host.port,
        "members": ["127.0.0.1"], "secret": SECRET, "name": "h1", "state_dir": str(host.state), "grace_seconds": 2,
        "give_up_seconds": 2,
    }  # fmt: skip
    control.stop(str(host.state))


def test_a_set_is_received_and_served_on_until_the_agent_is_stopped(asked: tuple[Host, dict[str, Any]]) -> None:
    host, arguments = asked
    assert run("move_files", arguments, "--check")["changed"] is True
    assert not control.alive(str(host.state))
    first = run("move_files", arguments)
    assert first["changed"] is True, first
    (moved,) = first["moved"]
    assert moved["from"] == {"origin": sum(SIZES.values())}
    assert (moved["bytes"], moved["restarts"], moved["state"]) == (sum(SIZES.values()), 0, "done")
    assert host.holds(SIZES)
    assert control.alive(str(host.state))
    assert (host.state / "agent.json").stat().st_mode & 0o777 == 0o600
    second = run("move_files", arguments)
    assert (second["changed"], second["moved"][0]["bytes"]) == (False, 0)
    pid = control.status(str(host.state))["pid"]
    command = Path(f"/proc/{pid}/cmdline").read_text()
    assert SECRET not in command + Path(f"/proc/{pid}/environ").read_text()
    assert run("move_stopped", {"state_dir": str(host.state)})["changed"] is True
    assert not host.state.exists()
    limit = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < limit:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()
    assert run("move_stopped", {"state_dir": str(host.state)})["changed"] is False


def test_a_failure_says_what_was_seen(asked: tuple[Host, dict[str, Any]]) -> None:
    _, arguments = asked
    arguments["secret"] = "of yesterday"
    failed = run("move_files", arguments)
    assert "m: nobody could give more for " in failed["msg"]
    assert "the secret is not the one of this run" in failed["msg"]
    assert "of yesterday" not in json.dumps(failed)


def test_what_takes_too_long_is_left_and_said(asked: tuple[Host, dict[str, Any]]) -> None:
    host, arguments = asked
    arguments.update(timeout_seconds=3, grace_seconds=60, upstreams=[{"name": "x", "address": "127.0.0.1", "port": 1}])
    failed = run("move_files", arguments)
    assert "not done after 3 s: m: 0 of " in failed["msg"]
    limit = time.monotonic() + 5
    while host.status()["sets"] and time.monotonic() < limit:
        time.sleep(0.1)
    assert host.status()["sets"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"files": [{"path": "../x", "size": 1, "sha256": "0" * 64}]}, "'../x' is not a path below the set's folder"),
        ({"files": [{"path": "x", "size": 1}]}, "x: has neither sha256 nor git_sha1"),
        ({"mode": "push"}, "set 'm': lacks a mode of receive, hold or drop"),
        ({"folder": ""}, "set 'm': lacks folder"),
    ],
)
def test_a_set_that_cannot_be_moved_is_refused(
    asked: tuple[Host, dict[str, Any]], change: dict[str, Any], message: str
) -> None:
    host, arguments = asked
    arguments["sets"][0].update(change)
    assert message in run("move_files", arguments)["msg"]
    assert not control.alive(str(host.state))


def test_a_holder_returns_at_once(asked: tuple[Host, dict[str, Any]]) -> None:
    host, arguments = asked
    arguments["sets"][0]["mode"] = "hold"
    held = run("move_files", arguments)
    assert (held["changed"], held["moved"][0]["state"]) == (False, "holding")
    assert control.alive(str(host.state))
