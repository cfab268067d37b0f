"""A fleet of two hosts, and an `ssh` that runs what it is given on this machine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driver.fleet import Fleet, FleetHost
from driver.models import unlocked
from driver.observe import Observation

ROLES = ("npu_driver", "container_image", "inference_service")
# ssh -F CONFIG [options] HOST COMMAND…: the host's name chooses what happens
SSH = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    -F|-o|-O) shift 2 ;;
    -T) shift ;;
    *) break ;;
  esac
done
host=$1; shift
case "$host" in
  unknown*) echo "Host key verification failed." >&2; exit 255 ;;
  refused*) echo "ssh: connect to host $host port 22: Connection refused" >&2; exit 255 ;;
  asks*) echo "sudo: a password is required" >&2; exit 1 ;;
  slow*) exec sleep 30 ;;
  greets*) echo "Welcome to $host" ;;
esac
PATH=%(stubs)s:$PATH exec sh -c "$*"
"""


def pytest_configure(config: pytest.Config) -> None:
    """Know the marks of the checks that are tried here."""
    config.addinivalue_line("markers", "asked_for(variable): see tests/compliance/conftest.py")


@pytest.fixture
def stubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an `ssh` and a `sudo` of our own in front of the real ones."""
    folder = tmp_path / "stubs"
    folder.mkdir()
    for name, text in (("ssh", SSH % {"stubs": folder}), ("sudo", '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n')):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture(autouse=True)
def _no_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask no hub of the world for what the shipped sites have not locked."""
    monkeypatch.setattr(unlocked, "complete", lambda *_: False)


@pytest.fixture(autouse=True)
def runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the runs of tests away from the real ones."""
    monkeypatch.setenv("PROVISION_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def fleet_of(folder: Path, *names: str) -> Fleet:
    service = {"name": "chat", "served_name": "tiny", "address": "192.0.2.1", "port": 8000}
    hosts = tuple(
        FleetHost(
            name, f"192.0.2.{number}", ROLES, {"inference_service": {"services": [service] if number == 1 else []}}
        )
        for number, name in enumerate(names, 1)
    )
    return Fleet("test", folder, folder / "rendered", "python3", hosts)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return fleet_of(tmp_path, "node1", "node2")


def cluster(fleet: Fleet) -> Fleet:
    """Return *fleet* as one Ray cluster: node1 the head, which serves, node2 a worker."""
    members = {"ray_cluster": {"members": [{"name": "chat"}]}}
    service = fleet.hosts[0].wanted["inference_service"]["services"][0]
    serving = {"inference_service": {"services": [{**service, "unit": "provision-chat.service"}]}}
    first, second = fleet.hosts
    roles = ("npu_driver", "ray_cluster", "inference_service")
    hosts = (replace(first, wanted=members | serving, roles=roles), replace(second, wanted=members, roles=roles[:2]))
    return replace(fleet, hosts=hosts)


def item(what: str, **more: Any) -> dict[str, Any]:
    """Return a drift item as host_state makes it."""
    return {
        "what": what,
        "from": None,
        "to": "wanted",
        "reason": "it is absent",
        "reboot": False,
        "stops": [],
        "bytes": 0,
        **more,
    }


def seen(drift: dict[str, dict[str, Any]], **faults: Any) -> Observation:
    """Return an observation with this drift by host and role."""
    docs = {host: {"drift": roles, "facts": {}, "not_understood": []} for host, roles in drift.items()}
    return Observation(docs, faults, 0.1)
