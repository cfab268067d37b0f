"""The roles of the engine and its runtime: the order of their tasks makes up for a run that ends half-way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

ROLES = Path(__file__).resolve().parents[3] / "roles"


def tasks_of(path: str) -> list[dict[str, Any]]:
    """Return the tasks of a role's file in their order, those of blocks in place of the block."""
    found: list[dict[str, Any]] = yaml.safe_load((ROLES / path).read_text(encoding="utf-8"))
    return [inner for task in found for inner in task.get("block", [task])]


def names_of(path: str) -> list[str]:
    return [task["name"] for task in tasks_of(path)]


def holds(conditions: list[str], **given: Any) -> bool:
    """Return whether all *conditions* of a task hold, with the variables *given*."""
    engine = Environment(autoescape=False)  # noqa: S701 # conditions, no pages
    engine.tests["skipped"] = lambda result: result.get("skipped", False)
    return all(engine.compile_expression(condition)(**given) for condition in conditions)


@pytest.mark.parametrize(
    ("removed", "restarted"),
    [({}, True), ({"__docker_engine_removed": {"skipped": True}}, True), ({"__docker_engine_removed": {}}, False)],
    ids=["no removal", "an engine of packages stays", "the programs are gone"],
)
def test_an_engine_that_stays_is_restarted(removed: dict[str, Any], restarted: bool) -> None:
    restart = tasks_of("docker_engine/handlers/main.yml")[0]
    known = {"ansible_check_mode": False, "__docker_engine_merged": {"restart": True}, **removed}
    assert holds(restart["when"], **known) is restarted


def test_a_restart_is_marked_with_the_programs_and_forgotten_only_by_the_restart() -> None:
    restart, forget = tasks_of("docker_engine/handlers/main.yml")[:2]
    assert forget["name"] in restart["notify"]
    mark = "{{ __docker_engine_restart_mark }}"
    (unpack,) = [task for task in tasks_of("docker_engine/tasks/install_static.yml") if "archive_programs" in task]
    assert unpack["archive_programs"]["mark"] == forget["ansible.builtin.file"]["path"] == mark


def test_an_outdated_engine_owes_a_restart_whatever_fails_after_it() -> None:
    first = tasks_of("docker_engine/tasks/configure.yml")[0]
    assert first["docker_proxies"]["restart_owed"] == "{{ __docker_engine_outdated }}"


@pytest.mark.parametrize(
    ("files", "unit", "act", "stop"),
    [
        (["/usr/bin/dockerd"], {"exists": True, "digest": "20"}, True, True),
        (["/usr/bin/dockerd"], {}, True, False),
        ([], {"exists": True, "digest": "20"}, True, True),
        ([], {"exists": True, "digest": None}, False, True),
    ],
    ids=["both", "the unit is gone", "the programs are gone", "an engine of packages"],
)
def test_an_engine_of_an_archive_can_be_removed_from_every_half(
    files: list[str], unit: dict[str, Any], act: bool, stop: bool
) -> None:
    path = "docker_engine/tasks/remove_static.yml"
    (block,) = yaml.safe_load((ROLES / path).read_text(encoding="utf-8"))
    assert block["when"] == "__docker_engine_unpacked"
    known = {"host_state": {"facts": {"docker": {"programs": {"files": files}}}}, "__docker_engine_unit": unit}
    said = yaml.safe_load((ROLES / "docker_engine/vars/main.yml").read_text(encoding="utf-8"))[block["when"]]
    assert holds([said.strip("{} ")], **known) is act
    assert holds([block["block"][0]["when"]], **known) is stop
    assert names_of(path).index("Remove its unit") > names_of(path).index("Remove its programs")


def test_a_runtime_that_is_removed_to_come_again_does_not_lose_what_was_there_before_it() -> None:
    tasks = tasks_of("ascend_docker_runtime/tasks/install.yml")
    files = [task.get("ansible.builtin.include_tasks", task["name"]) for task in tasks]
    gone = files.index("remove.yml")
    assert files[gone + 1] == "remember.yml"
    assert tasks[gone + 1]["when"] == tasks[gone]["when"]
    assert files.index("Run the runtime's installer") > gone + 1
