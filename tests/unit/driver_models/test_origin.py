"""This machine as the origin: it fetches, serves what is verified to the hosts of the run, and ends with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driver import fleet as fleets
from driver import paths, resolve
from driver.errors import TaskFailed
from driver.fleet import Fleet
from driver.hostprogram import host_module
from driver.models import locking, origin
from driver.models.asking import SourceFailed
from driver.plan import Change, Plan

from .conftest import BIG, Servers, content
from .test_locking import Site

# answers as ssh does: what runs "on the host" runs here, and -R tells a port on which nobody listens unless forwarded
SSH = """#!/bin/sh
for word in "$@"; do
  case "$word" in
    -R) forward=1 ;;
  esac
done
if [ -n "$forward" ]; then
  %(forward)s
fi
while [ $# -gt 0 ]; do
  case "$1" in
    -F|-o|-O) shift 2 ;;
    -T) shift ;;
    *) break ;;
  esac
done
shift
%(command)s
"""
RUN = 'exec sh -c "$*"'


@pytest.fixture
def site(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    catalog = Path(shutil.copytree(paths.CATALOG, tmp_path / "catalog"))
    load = resolve.load
    monkeypatch.setattr(resolve, "load", lambda name: load(name, catalog=catalog))
    monkeypatch.setenv("TEST_ACCESS", "access")
    monkeypatch.setenv("TEST_SECRET", "secret")
    made = Site(servers, catalog)
    made.lock.unlink()
    return made


def ssh(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str = RUN, forward: str = "exit 1") -> None:
    """Put an `ssh` of the test's own in front of the real one."""
    stubs = folder / "stubs"
    stubs.mkdir(exist_ok=True)
    (stubs / "ssh").write_text(SSH % {"command": command, "forward": forward}, encoding="utf-8")
    (stubs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{stubs}:{os.environ['PATH']}")


def loaded(site: Site, source: str, **more: Any) -> Fleet:
    """Return the fleet of a site whose two hosts are this machine, and whose model the controller fetches."""
    site.write(source, model={"fetch": "controller"}, **more)
    file = site.folder / "site.yml"
    text = file.read_text(encoding="utf-8").replace("10.77.0.11", "127.0.0.1").replace("10.77.0.12", "127.0.0.2")
    file.write_text(text, encoding="utf-8")
    return fleets.load(str(site.folder))


LACKING: dict[str, Any] = defaultdict(lambda: {"present": False, "files": 0})


def plan_of(fleet: Fleet, *hosts: str) -> Plan:
    """Return the plan of a fleet of which *hosts* have nothing of their models, as those hosts would say it."""
    compare = host_module("compare_model_store")
    changes = [
        Change(host.name, "model_store", item["what"], None, item["to"], item["reason"], False, (), 1)
        for host in fleet.hosts
        if host.name in hosts
        for item in compare.compare(host.wanted["model_store"], {"models": LACKING})
    ]
    return Plan(fleet.name, tuple(host.name for host in fleet.hosts), tuple(changes), (), 1)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Path]:
    """The folder of the agent of a host."""
    folder = tmp_path / "receiver"
    yield folder
    host_module("control", "move").stop(str(folder))


def receive(folder: Path, fleet: Fleet, way: dict[str, Any], target: Path) -> None:
    """Get the model as a host of the run does."""
    control, known = host_module("control", "move"), fleet.secrets.moves(("model_store",))
    model = fleets.load(str(fleet.folder)).hosts[0].wanted["model_store"]["models"][0]
    files = [{"path": file["path"], "size": file["size"], "sha256": file["sha256"]} for file in model["files"]]
    wanted = {"name": "m", "folder": str(target), "files": files, "mode": "receive", "upstreams": [way], "whole": []}
    given = {
        "name": "node1",
        "listen": "127.0.0.1",
        "port": 0,
        "secret": known["MOVE"],
        "members": ["127.0.0.1"],
        "rate_limit_mbit": 0,
        "tls": {"certificate": known["MOVE_CERTIFICATE"], "key": known["MOVE_KEY"]} if "MOVE_KEY" in known else None,
        "sets": [wanted],
    }
    control.follow(control.ask(given, str(folder)), 60.0, lambda _: None, str(folder))


@pytest.mark.parametrize(("source", "encrypt"), [("git", True), ("obs", False), ("path", False)])
def test_hosts_get_what_the_controller_has_fetched(
    site: Site, source: str, encrypt: bool, receiver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh(tmp_path, monkeypatch)
    fleet = loaded(site, source, moves={"encrypt": encrypt})
    said: list[str] = []
    with origin.serving(fleet, plan_of(fleet, "node1", "node2"), said.append) as extra:
        ways = extra["model_store_origins"]
        assert sorted(ways) == ["node1", "node2"]
        receive(receiver, fleet, ways["node1"], tmp_path / "target")
        folder = origin.agent_folder(site.folder)
        assert (folder / "agent.json").stat().st_mode & 0o077 == 0
    got = content(tmp_path / "target")
    assert got[BIG] == (site.servers.model / BIG).read_bytes()
    assert not folder.exists(), "the agent has ended with the run, and its folder with it"
    assert {file["sha256"] for file in site.locked()["files"]} != {""}


def test_a_host_that_has_it_makes_the_controller_fetch_nothing(site: Site) -> None:
    fleet = loaded(site, "git")
    with origin.serving(fleet, plan_of(fleet, "node1"), lambda _: None) as extra:
        assert extra == {}
    assert not (site.servers.root / "cache/sets").exists()


def test_only_what_hosts_lack_is_fetched(site: Site) -> None:
    fleet = loaded(site, "git")
    whole = plan_of(fleet, "node1", "node2")
    assert origin.needed(fleet, whole) == {"lab-tiny-qwen2"}
    other = [replace(change, after="lab/other@main") for change in whole.changes]
    assert origin.needed(fleet, replace(whole, changes=tuple(other))) == set(), "another model is what they lack"
    mixed = (other[0], whole.changes[1])
    assert origin.needed(fleet, replace(whole, changes=mixed)) == set(), "node1 has it, and lacks another"


def test_a_source_that_fails_ends_the_run_before_a_host_is_touched(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh(tmp_path, monkeypatch, command="exit 255")
    fleet = loaded(site, "git")
    site.servers.faults["git"].set(status=503)
    with pytest.raises(SourceFailed, match="expected"), origin.serving(fleet, plan_of(fleet, "node1", "node2"), print):
        pytest.fail("it has nothing to serve")


def test_a_folder_that_has_changed_since_it_was_listed_is_not_served(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh(tmp_path, monkeypatch)
    fleet = loaded(site, "path")
    locking.lock(resolve.load(str(site.folder)))
    (site.servers.model / BIG).write_bytes(b"short")
    said = f"{BIG} is 5 bytes, and has [0-9]+ bytes in site.lock"
    with pytest.raises(SourceFailed, match=said), origin.serving(fleet, plan_of(fleet, "node1", "node2"), print):
        pytest.fail("it has nothing to serve")


FORWARD = """port=$(echo "$*" | sed 's/.*127.0.0.1:0:127.0.0.1:\\([0-9]*\\).*/\\1/')
  echo "Allocated port $port for remote forward to 127.0.0.1:$port" >&2
  exec sleep 60"""


def test_a_host_that_does_not_reach_the_controller_gets_it_through_ssh(
    site: Site, receiver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh(tmp_path, monkeypatch, command="exit 1", forward=FORWARD)
    fleet = loaded(site, "git")
    said: list[str] = []
    with origin.serving(fleet, plan_of(fleet, "node1", "node2"), said.append) as extra:
        way = extra["model_store_origins"]["node1"]
        assert way["address"] == "127.0.0.1"
        receive(receiver, fleet, way, tmp_path / "target")
    assert any(line.startswith("node1, node2: do not reach port ") for line in said)
    assert (tmp_path / "target" / BIG).read_bytes() == (site.servers.model / BIG).read_bytes()
    left = subprocess.run(["pgrep", "-P", str(os.getpid()), "sleep"], capture_output=True, text=True, check=False)
    assert left.stdout == "", "the forwards have ended with the run"


def test_a_host_that_comes_from_another_address_gets_it_through_ssh(
    site: Site, receiver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translated = """sed "s/, 3)/, 3, ('127.0.0.9', 0))/" | sh -c "$*\""""
    ssh(tmp_path, monkeypatch, command=translated, forward=FORWARD)
    fleet = loaded(site, "git")
    said: list[str] = []
    with origin.serving(fleet, plan_of(fleet, "node1", "node2"), said.append) as extra:
        receive(receiver, fleet, extra["model_store_origins"]["node1"], tmp_path / "target")
    assert any(line.startswith("node1, node2: do not reach port ") for line in said)


def test_no_way_at_all_is_said_with_what_ssh_said(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = 'echo "remote port forwarding failed for listen port 0" >&2; exit 255'
    ssh(tmp_path, monkeypatch, command="exit 1", forward=words)
    fleet = loaded(site, "git")
    expected = r"node1: no way back to this machine: .*remote port forwarding failed.*AllowTcpForwarding"
    with pytest.raises(TaskFailed, match=expected), origin.serving(fleet, plan_of(fleet, "node1", "node2"), print):
        pytest.fail("no host could get anything")
