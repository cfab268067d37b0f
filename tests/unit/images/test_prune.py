"""Old images of the site go on request: never one that a container uses, the site wants, or somebody else has named."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from driver.errors import UsageError
from driver.fleet import Fleet, FleetHost
from driver.images import prune
from driver.observe import Observation
from driver.record import Record
from driver.terminal import Terminal
from plugins.module_utils.state.images import unneeded

OLD = {"id": "sha256:old", "tags": ["mirror:5000/org/engine:v0"], "digests": ["sha256:d0"], "size": 5_000_000_000}
OLD |= {"references": ["mirror:5000/org/engine@sha256:d0"], "labels": {}, "loaded": {}}
WANTED = {
    "names": ["hub.example/org/engine:v1"],
    "digests": ["sha256:d1"],
    "repositories": ["hub.example/org/engine", "mirror:5000/org/engine"],
}


def image(**changes: Any) -> dict[str, Any]:
    return OLD | changes


def container(**changes: Any) -> dict[str, Any]:
    return {"image": "other/x:v1", "image_id": "sha256:x", "state": "exited"} | changes


@pytest.mark.parametrize(
    ("changes", "containers"),
    [
        ({"tags": ["hub.example/org/engine:v1"]}, []),
        ({"digests": ["sha256:d1"]}, []),
        ({"id": "sha256:d1"}, []),
        ({"loaded": {"name": "x", "archive": "", "digests": ["sha256:d1"]}}, []),
        ({}, [container(image_id="sha256:old")]),
        ({}, [container(image="mirror:5000/org/engine:v0", image_id="")]),
        ({"tags": ["mirror:5000/org/engine:v0", "mine:v1"]}, []),
        ({"tags": ["hub.example/org/other:v0"], "references": []}, []),
        ({"tags": [], "references": []}, []),
    ],
    ids=["name", "digest", "id", "archive", "stopped container", "by name", "named by others", "of others", "nameless"],
)
def test_what_is_needed_stays(changes: dict[str, Any], containers: list[dict[str, Any]]) -> None:
    assert unneeded([image(**changes)], containers, WANTED) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tags": []},
        {"tags": ["hub.example/org/engine:v0"], "references": []},
        {"tags": [], "references": [], "loaded": {"name": "hub.example/org/engine:v0", "archive": "", "digests": []}},
    ],
    ids=["old tag", "tag moved on", "canonical", "loaded once"],
)
def test_what_nobody_needs_goes(changes: dict[str, Any]) -> None:
    found = unneeded([image(**changes)], [container()], WANTED)
    assert [one["id"] for one in found] == ["sha256:old"]


def test_the_plan_comes_from_what_all_hosts_want() -> None:
    one = {
        "name": "hub.example/org/engine:v1",
        "digest": "sha256:d1",
        "id": "",
        "sources": ["mirror:5000/org/engine:v1"],
    }
    hosts = tuple(
        FleetHost(name, "192.0.2.1", ("container_image",), {"container_image": {"images": images}})
        for name, images in (("n1", [one]), ("n2", [{**one, "name": "hub.example/org/engine:v2"}]))
    )
    fleet = Fleet("s", Path("/x"), Path("/x"), "python3", hosts)
    second = image(id="sha256:two", tags=["hub.example/org/engine:v2"], references=[])
    docker = {"images": [OLD, second], "containers": []}
    seen = Observation({host.name: {"facts": {"docker": docker}} for host in hosts}, {}, 0.1)
    plan = prune.plan(fleet, seen)
    assert plan.wants["repositories"] == ["hub.example/org/engine", "mirror:5000/org/engine"]
    assert [(one.host, one.id) for one in plan.old] == [("n1", "sha256:old"), ("n2", "sha256:old")]
    assert "2 images, at most 10.0 GB become free" in plan.text(0)
    assert prune.Plan("s", (), {}).text(0) == "no old image of site s on any host\n"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A site of one host; what the engine there says is in the dict."""
    docker: dict[str, Any] = {"images": [OLD], "containers": []}
    images = [{"name": "hub.example/org/engine:v1", "digest": "", "id": "", "sources": ["mirror:5000/org/engine:v1"]}]
    host = FleetHost("n1", "192.0.2.1", ("container_image",), {"container_image": {"images": images}})
    fleet = Fleet("s", tmp_path, tmp_path, "python3", (host,))
    seen = Observation({"n1": {"facts": {"docker": docker}}}, {}, 0.1)
    monkeypatch.setattr(prune.paths, "site_dir", lambda _: tmp_path)
    monkeypatch.setattr(prune.fleets, "load", lambda _: fleet)
    monkeypatch.setattr(prune, "observe", lambda _: seen)
    monkeypatch.setenv("PROVISION_RUNS", str(tmp_path / "runs"))
    return docker


def terminal(answer: bool = False) -> Terminal:
    return Terminal(io.StringIO(), io.StringIO(), lambda _: answer, True)


def test_nothing_old_is_said_and_nothing_is_played(site: dict[str, Any]) -> None:
    site["images"] = []
    found = prune.prune("s", None, True, terminal(), 0)
    assert isinstance(found, prune.Plan)
    assert found.old == ()


def test_the_plan_is_shown_before_the_question(site: dict[str, Any]) -> None:
    person = terminal()
    with pytest.raises(UsageError, match="not confirmed"):
        prune.prune("s", None, False, person, 0)
    assert "mirror:5000/org/engine:v0" in person.err.getvalue()  # type: ignore[attr-defined]
    assert site["images"] == [OLD]


def test_what_was_shown_is_what_the_hosts_are_told(site: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def play(_: Fleet, request: Any, *__: Any) -> Any:
        told.append(request)
        return SimpleNamespace(good=True, changed={}, seconds={}, failures=(), slowest=(), tasks={}, **lists)

    lists: dict[str, Any] = {"failed": frozenset(), "unreachable": frozenset(), "log": Path("x")}
    monkeypatch.setattr("driver.act.play", play)
    assert isinstance(prune.prune("s", None, True, terminal(), 0), Record)
    (request,) = told
    assert (request.playbook, request.hosts, request.removes) == ("prune.yml", ("n1",), True)
    assert request.extra_vars["container_image_unneeded"] == {"n1": ["sha256:old"]}
    assert site["images"]
