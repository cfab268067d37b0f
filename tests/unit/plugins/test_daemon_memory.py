"""What a role set in daemon.json goes back key by key; what anybody else changed in the meantime stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import daemon_json
from plugins.module_utils.converge.daemon_memory import Memory

RUNTIME = {"path": "/opt/vendor/runtime", "runtimeArgs": []}
OPERATOR = {
    "log-driver": "local",
    "insecure-registries": ["a:1"],
    "runtimes": {"kata": {"path": "/kata"}},
    "default-runtime": "kata",
}
ENGINE = {"log-driver": "json-file", "insecure-registries": ["b:1"], "log-opts": {"max-size": "50m"}}
VENDOR = {"runtimes": {"vendor": RUNTIME}, "default-runtime": "vendor"}


class Site:
    """A daemon.json that roles write as the module does."""

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        self.memory_path = str(folder / "keys.json")
        self.content = content

    def write(self, owner: str, options: dict[str, Any]) -> None:
        memory = Memory(self.memory_path)
        before = memory.without(owner, self.content)
        memory.note(owner, before, options)
        memory.save()
        self.content = daemon_json.merged(before, options, {})

    def remove(self, owner: str) -> None:
        memory = Memory(self.memory_path)
        self.content = memory.without(owner, self.content)
        memory.note(owner, self.content, {})
        memory.save()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, json.loads(json.dumps(OPERATOR)))


@pytest.mark.parametrize("first", ["engine", "vendor"])
def test_both_owners_gone_is_what_the_operator_had(site: Site, first: str, tmp_path: Path) -> None:
    site.write("engine", ENGINE)
    site.write("vendor", VENDOR)
    assert site.content["default-runtime"] == "vendor"
    site.remove(first)
    site.remove({"engine": "vendor", "vendor": "engine"}[first])
    assert site.content == OPERATOR
    assert list(tmp_path.iterdir()) == []


def test_a_second_write_remembers_the_operators_values_not_ours(site: Site) -> None:
    site.write("engine", ENGINE)
    site.write("engine", {**ENGINE, "log-driver": "journald"})
    site.remove("engine")
    assert site.content == OPERATOR


def test_a_key_that_is_not_asked_for_any_more_goes_back(site: Site) -> None:
    site.write("engine", ENGINE)
    site.write("engine", {"insecure-registries": ["b:1"]})
    assert site.content == {**OPERATOR, "insecure-registries": ["a:1", "b:1"]}


def test_what_the_operator_changed_later_survives(site: Site) -> None:
    site.write("engine", ENGINE)
    site.content["insecure-registries"].append("later:1")
    site.content["log-driver"] = "syslog"
    site.content["debug"] = True
    site.remove("engine")
    changed = {"insecure-registries": ["a:1", "later:1"], "log-driver": "syslog", "debug": True}
    assert site.content == {**OPERATOR, **changed}


def test_what_was_there_before_us_is_not_taken_along(site: Site) -> None:
    site.write("engine", {"insecure-registries": ["a:1", "b:1"]})
    site.remove("engine")
    assert site.content["insecure-registries"] == ["a:1"]


def test_a_file_that_was_empty_is_empty_again(tmp_path: Path) -> None:
    site = Site(tmp_path, {})
    site.write("vendor", VENDOR)
    site.write("engine", ENGINE)
    site.remove("vendor")
    site.remove("engine")
    assert site.content == {}


def test_the_first_text_and_mode_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text('{"debug":\ttrue}')
    file.chmod(0o644)
    memory = Memory(str(tmp_path / "keys.json"))
    memory.meet(str(file))
    file.write_text("{}")
    memory.meet(str(file))
    assert memory.mode() == 0o644
    assert memory.original({"debug": True}) == '{"debug":\ttrue}'
    assert memory.original({"debug": True, "x": 1}) == ""


def test_a_mode_that_let_others_write_is_not_given_back(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text("{}")
    file.chmod(0o666)
    memory = Memory(str(tmp_path / "keys.json"))
    memory.meet(str(file))
    assert memory.mode() == 0


def test_a_broken_memory_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"owners": ')
    memory = Memory(str(tmp_path / "keys.json"))
    assert memory.without("engine", OPERATOR) == OPERATOR
