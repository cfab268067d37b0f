"""Models from host to host with the module and the real agent: in line, the difference only, sums that come late."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.converge import model_access, model_bring, model_receive
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.move import control
from ansible.module_utils.state import models

from plugins.modules import model_fetch
from plugins.modules.model_fetch import Bringing

CONTENT = {
    "config.json": b"{}",
    "tokenizer.json": b"[]",
    "a.safetensors": b"A" * 300000,
    "b.safetensors": b"B" * 300000,
}


class Host:
    """One host of a site on this machine: its own folder for the model and for the agent, a port of its own."""

    def __init__(self, place: Path, name: str, source: Path) -> None:
        self.name, self.folder, self.state = name, place / name / "model", str(place / name / "run")
        self.model = {
            "name": "tiny", "path": str(self.folder), "source": "path", "repo": str(source), "revision": "",
            "endpoint": "", "image": "", "size_bytes": 0, "files": [],
        }  # fmt: skip
        self.mark = ""

    def run(self, step: str, works: list[dict[str, Any]], files: list[dict[str, Any]], **more: Any) -> Bringing:
        """Do one step of the module."""
        moves = {"name": self.name, "port": 0, "rate_limit_mbit": 0, "members": ["127.0.0.1"], "state_dir": self.state}
        given = {
            "models": [self.model], "works": works, "files": {"tiny": files} if files else {}, "bad": {}, "tokens": {},
            "obsutil": {}, "timeout_seconds": 60, "moves": {**moves, "mark": self.mark}, "secret": "w", "tls_key": "",
            "again": False,
        }  # fmt: skip
        done = Bringing({**given, **more}, check=False)
        if step == "prepare":
            done.prepare()
            done.given["here"] = done.here
            step = "start"
        {"list": done.list, "start": done.start, "bring": done.bring}[step]()
        self.mark = done.mark or self.mark
        return done

    def upstream(self) -> dict[str, Any]:
        return {"name": self.name, "address": "127.0.0.1", "port": control.status(self.state)["port"]}

    def assert_whole(self, content: dict[str, bytes] = CONTENT) -> None:
        assert {name: (self.folder / name).read_bytes() for name in content} == content
        left = {path.name for path in self.folder.rglob("*")} - set(content)
        assert left == {models.MANIFEST, ".provision-lock"}
        assert models.observe(str(self.folder), deep=True)["verified"]


FETCH = {"name": "tiny", "task": "fetch", "serves": True}
SERVE = {"name": "tiny", "task": "serve"}


def receive(*hosts: Host) -> dict[str, Any]:
    return {"name": "tiny", "task": "receive", "upstreams": [host.upstream() for host in hosts]}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "source", CONTENT)


def write(folder: Path, content: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


def listed(content: dict[str, bytes]) -> list[dict[str, Any]]:
    rows = content.items()
    return [
        {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "git_sha1": ""}
        for name, data in rows
    ]


@pytest.fixture
def hosts(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Host]]:
    monkeypatch.setattr("ansible.module_utils.converge.progress.FOLDER", str(tmp_path / "progress"))
    found = [Host(tmp_path, name, source) for name in ("n1", "n2", "n3")]
    yield found
    for host in found:
        control.stop(host.state)


def test_hosts_in_line_get_a_model_while_the_first_one_fetches_it(hosts: list[Host]) -> None:
    first, second, third = hosts
    files = listed(CONTENT)
    first.run("prepare", [FETCH], files)
    second.run("prepare", [receive(first)], files)
    third.run("prepare", [receive(second, first)], files)
    assert first.run("bring", [FETCH], files).done == ["tiny"]
    got = second.run("bring", [receive(first)], files)
    assert (got.done, got.fetched[0]["from"]) == (["tiny"], {"n1": sum(map(len, CONTENT.values()))})
    senders = third.run("bring", [receive(second, first)], files).fetched[0]["from"]
    assert (set(senders) <= {"n1", "n2"}, sum(senders.values())) == (True, sum(map(len, CONTENT.values())))
    for host in hosts:
        host.assert_whole()


def test_a_source_without_sums_is_moved_when_one_host_has_it(hosts: list[Host]) -> None:
    first, second, _ = hosts
    silent = first.run("list", [FETCH], []).files["tiny"]
    assert {entry["sha256"] for entry in silent} == {""}
    first.run("prepare", [FETCH], silent)
    second.run("prepare", [receive(first)], silent)
    brought = first.run("bring", [FETCH], silent)
    early = second.run("bring", [receive(first)], silent)
    assert (early.done, (second.folder / models.MANIFEST).exists()) == ([], False)
    known = brought.files["tiny"]
    first.run("prepare", [SERVE], known)
    second.run("prepare", [receive(first)], known)
    assert second.run("bring", [receive(first)], known).done == ["tiny"]
    second.assert_whole()


def test_a_new_revision_moves_only_what_differs(hosts: list[Host], tmp_path: Path) -> None:
    first, second, _ = hosts
    for host in (first, second):
        host.run("bring", [{**FETCH, "serves": False}], [])
    new = {"config.json": b"{ }", "tokenizer.json": b"[]", "c.safetensors": CONTENT["a.safetensors"]}
    for host in (first, second):
        host.model.update(repo=str(write(tmp_path / "new", new)), revision="v2")
    files = listed(new)
    first.run("bring", [{**FETCH, "serves": False}], files)
    first.run("prepare", [SERVE], files)
    second.run("prepare", [receive(first)], files)
    got = second.run("bring", [receive(first)], files)
    assert got.fetched[0]["bytes"] == len(new["config.json"])
    assert sorted(got.fetched[0]["removed"]) == ["a.safetensors", "b.safetensors"]
    second.assert_whole(new)


def test_a_spoilt_file_is_received_anew_and_the_others_stay(hosts: list[Host]) -> None:
    first, second, _ = hosts
    for host in (first, second):
        host.run("bring", [{**FETCH, "serves": False}], [])
    files = json.loads((first.folder / models.MANIFEST).read_text())["files"]
    (second.folder / "a.safetensors").write_bytes(b"x" * 300000)
    kept = (second.folder / "b.safetensors").stat().st_ino
    first.run("prepare", [SERVE], files)
    bad = {"bad": {str(second.folder): ["a.safetensors"]}}
    second.run("prepare", [receive(first)], files, **bad)
    assert second.run("bring", [receive(first)], files, **bad).fetched[0]["bytes"] == 300000
    assert (second.folder / "b.safetensors").stat().st_ino == kept
    second.assert_whole()


def test_a_full_disk_is_refused_before_anything_moves(hosts: list[Host], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = hosts
    files = listed(CONTENT)
    first.run("prepare", [FETCH], files)
    monkeypatch.setattr("ansible.module_utils.converge.model_settle.free_bytes", lambda _: 1000)
    with pytest.raises(RefusedError, match=r"has 1000 bytes free, expected \d+ .*Nothing was moved"):
        second.run("prepare", [receive(first)], files)
    assert not control.alive(second.state)


def test_who_waits_hears_of_it_when_the_source_fails_and_may_take_its_place(
    hosts: list[Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(model_receive.config.DEFAULTS, "give_up_seconds", 1)
    monkeypatch.setitem(model_receive.config.DEFAULTS, "grace_seconds", 1)
    first, second, third = hosts
    other = {**CONTENT, "a.safetensors": b"other" * 60000}
    files = listed(other)
    first.run("prepare", [FETCH], files)
    second.run("prepare", [receive(first)], files)
    with pytest.raises(RefusedError, match=r"after 2 downloads path did not bring what .* a.safetensors: sha256"):
        first.run("bring", [FETCH], files)
    with pytest.raises(RefusedError, match=r"(?s)from other hosts: tiny: nobody .*n1.*404.*kept, run again"):
        second.run("bring", [receive(first)], files)
    assert not (second.folder / "a.safetensors").exists()
    waited = second.run("bring", [receive(first)], files, again=True)
    assert (waited.done, waited.missed, len(waited.warnings)) == ([], ["tiny"], 1)
    # the next one takes its place: it keeps what has come, and serves when it has the rest
    second.model["repo"] = str(write(tmp_path / "mended", other))
    second.run("prepare", [FETCH], files)
    third.run("prepare", [receive(second)], files)
    assert second.run("bring", [FETCH], files).fetched[0]["bytes"] == len(other["a.safetensors"])
    third.run("bring", [receive(second)], files)
    for host in (second, third):
        host.assert_whole(other)


def test_who_waits_hears_of_a_disk_that_fails_as_well(hosts: list[Host], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = hosts
    files = listed(CONTENT)
    first.run("prepare", [FETCH], files)
    second.run("prepare", [receive(first)], files)

    def broken(*_: Any) -> Any:
        raise OSError(5, "Input/output error", "/data/m/a.safetensors")

    monkeypatch.setattr(model_bring, "fetch", broken)
    with pytest.raises(OSError, match="Input/output error"):
        first.run("bring", [FETCH], files)
    assert json.loads(Path(first.state, "agent.json").read_text())["sets"] == []


def test_in_a_dry_run_nothing_is_asked_or_written(hosts: list[Host]) -> None:
    given = {
        "models": [hosts[0].model], "works": [FETCH], "files": {}, "bad": {}, "tokens": {}, "obsutil": {}, "moves": {},
        "timeout_seconds": 1, "secret": "", "tls_key": "",
    }  # fmt: skip
    done = Bringing(given, check=True)
    done.bring()
    assert ([entry["name"] for entry in done.fetched], hosts[0].folder.exists()) == (["tiny"], False)


def test_the_token_of_a_source_goes_to_that_source_only(hosts: list[Host]) -> None:
    given = {
        "models": [], "works": None, "files": {}, "bad": {}, "tokens": {"huggingface": "word"}, "obsutil": {},
        "moves": {}, "secret": "", "tls_key": "",
    }  # fmt: skip
    done = Bringing(given, check=False)
    assert done.access({**hosts[0].model, "source": "huggingface"}).headers() == {"Authorization": "Bearer word"}
    assert done.access(hosts[0].model).headers() == {}
    assert model_access.Access(model_fetch.opener).headers() == {}
