"""daemon.json belongs to several: our keys come in, nobody else's go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugins.module_utils.converge import daemon_json
from plugins.module_utils.converge.errors import RefusedError

RUNTIME = {"path": "/opt/vendor/runtime", "runtimeArgs": []}


def test_other_keys_survive_and_lists_are_joined() -> None:
    present = {"log-driver": "local", "insecure-registries": ["a:5000"], "runtimes": {"kata": {"path": "/kata"}}}
    options = {"insecure-registries": ["b:5000", "a:5000"], "runtimes": {"vendor": RUNTIME}}
    assert daemon_json.merged(present, options, {}) == {
        "log-driver": "local",
        "insecure-registries": ["a:5000", "b:5000"],
        "runtimes": {"kata": {"path": "/kata"}, "vendor": RUNTIME},
    }


def test_a_spoilt_entry_of_ours_is_replaced_whole() -> None:
    present = {"runtimes": {"vendor": {"path": "/gone", "extra": 1}}}
    assert daemon_json.merged(present, {"runtimes": {"vendor": RUNTIME}}, {}) == {"runtimes": {"vendor": RUNTIME}}


def test_a_key_goes_only_when_it_holds_what_we_set() -> None:
    assert daemon_json.merged({"default-runtime": "vendor"}, {}, {"default-runtime": "vendor"}) == {}
    kept = {"default-runtime": "kata"}
    assert daemon_json.merged(kept, {}, {"default-runtime": "vendor"}) == kept


def test_merging_twice_changes_nothing() -> None:
    options = {"insecure-registries": ["b:5000"], "runtimes": {"vendor": RUNTIME}, "default-runtime": "vendor"}
    once = daemon_json.merged({"debug": True}, options, {})
    assert daemon_json.merged(once, options, {}) == once


@pytest.mark.parametrize("content", ["", "\n", "{}"])
def test_an_empty_file_has_no_keys(tmp_path: Path, content: str) -> None:
    (tmp_path / "daemon.json").write_text(content)
    assert daemon_json.read(str(tmp_path / "daemon.json"), str(tmp_path / "last")) == ({}, False)


def test_a_broken_file_is_repaired_from_what_we_wrote_last(tmp_path: Path) -> None:
    (tmp_path / "daemon.json").write_text('{"runtimes": {"vendor": ')
    (tmp_path / "last").write_text('{"log-driver": "local"}')
    assert daemon_json.read(str(tmp_path / "daemon.json"), str(tmp_path / "last")) == ({"log-driver": "local"}, True)


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}\n{"b": 2}'])
def test_a_broken_file_that_we_never_wrote_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "daemon.json").write_text(content)
    with pytest.raises(RefusedError, match=r"is not a JSON object.*no copy that provision wrote.*Correct it by hand"):
        daemon_json.read(str(tmp_path / "daemon.json"), str(tmp_path / "last"))
    assert (tmp_path / "daemon.json").read_text() == content


def test_writing_keeps_the_old_file_and_its_mode(tmp_path: Path) -> None:
    path, last = tmp_path / "etc/daemon.json", tmp_path / "lib/daemon.json"
    assert daemon_json.write(str(path), "{}\n", str(last)) == ""
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    backup = daemon_json.write(str(path), '{"debug": true}\n', str(last))
    assert path.stat().st_mode & 0o777 == 0o644
    assert Path(backup).read_text() == "{}\n"
    assert json.loads(last.read_text()) == {"debug": True}
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["daemon.json", Path(backup).name]


def test_a_file_that_others_can_write_gets_a_safe_mode(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    path.chmod(0o666)
    assert daemon_json.mode_for(str(path)) == 0o600


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("{}")
    (tmp_path / "daemon.json").symlink_to(tmp_path / "real")
    assert "is a link, expected a plain file" in daemon_json.unsafe(str(tmp_path / "daemon.json"))
    assert daemon_json.unsafe(str(tmp_path / "real")) == ""
    assert daemon_json.unsafe(str(tmp_path / "missing")) == ""


def test_what_the_engine_does_not_run_with_is_named() -> None:
    options = {
        "default-runtime": "vendor",
        "runtimes": {"vendor": RUNTIME},
        "insecure-registries": ["b:5000"],
        "debug": True,
    }
    info = {"DefaultRuntime": "runc", "Runtimes": {"runc": {"path": "runc"}}, "RegistryConfig": {"IndexConfigs": {}}}
    assert daemon_json.not_in_effect(options, info) == [
        "default-runtime",
        "runtimes.vendor",
        "insecure-registries b:5000",
    ]
    info = {
        "DefaultRuntime": "vendor",
        "Runtimes": {"vendor": {"path": "/opt/vendor/runtime"}},
        "RegistryConfig": {"IndexConfigs": {"b:5000": {"Secure": False}}},
    }
    assert daemon_json.not_in_effect(options, info) == []


def running(**keys: object) -> dict[str, object]:
    """Return what GET /info says of an engine that runs with the ascend runtime."""
    return {"DefaultRuntime": "ascend", "Runtimes": {"ascend": {"path": "/a"}, "runc": {"path": "runc"}}, **keys}


KNOWS_A = running(RegistryConfig={"IndexConfigs": {"a:1": {"Secure": False}, "b:1": {"Secure": False}}})
RIGHT = {"runtimes": {"ascend": {"path": "/a"}}, "default-runtime": "ascend"}


def test_a_file_that_was_spoilt_under_a_right_engine_needs_no_restart() -> None:
    spoilt = {"runtimes": {"ascend": {"path": "/nowhere"}}, "default-runtime": "ascend"}
    assert not daemon_json.restart_needed(spoilt, RIGHT, RIGHT, running())


@pytest.mark.parametrize(
    ("present", "wanted", "info"),
    [
        (RIGHT, RIGHT, {}),
        (RIGHT, RIGHT, running(DefaultRuntime="runc")),
        (RIGHT, {**RIGHT, "log-opts": {"max-size": "5m"}}, running()),
        ({**RIGHT, "live-restore": True}, RIGHT, running()),
        ({**RIGHT, "insecure-registries": ["a:1", "b:1"]}, {**RIGHT, "insecure-registries": ["a:1"]}, KNOWS_A),
        (RIGHT, {**RIGHT, "default-runtime": "runc"}, running()),
    ],
    ids=[
        "no engine answers",
        "not in effect",
        "a key that info does not show",
        "a key that went",
        "an entry that went",
        "a value that went back",
    ],
)
def test_what_the_engine_does_not_run_with_needs_a_restart(
    present: dict[str, object], wanted: dict[str, object], info: dict[str, object]
) -> None:
    assert daemon_json.restart_needed(present, wanted, RIGHT, info)


ENTRY = {"path": "/usr/local/Ascend/Ascend-Docker-Runtime/ascend-docker-runtime", "runtimeArgs": []}
GONE = {"runtimes": {"ascend": ENTRY}, "default-runtime": "ascend"}
KNOWS_RUNC, KNOWS_BOTH = {"runc": {"path": "runc"}}, {"runc": {"path": "runc"}, "ascend": ENTRY}


@pytest.mark.parametrize(
    ("wanted", "info", "owed"),
    [
        ({}, {"DefaultRuntime": "ascend", "Runtimes": KNOWS_BOTH}, True),
        ({"labels": ["a"]}, {"DefaultRuntime": "runc", "Runtimes": KNOWS_BOTH}, True),
        ({"runtimes": {"ascend": ENTRY}}, {"DefaultRuntime": "runc", "Runtimes": KNOWS_BOTH}, False),
        (GONE, {"DefaultRuntime": "ascend", "Runtimes": KNOWS_BOTH}, False),
        ({}, {"DefaultRuntime": "runc", "Runtimes": KNOWS_RUNC}, False),
        ({}, {}, False),
    ],
    ids=["default", "known", "somebody else has it", "it did not go", "forgotten", "no engine answers"],
)
def test_what_an_uninstaller_took_out_is_still_in_the_engine(
    wanted: dict[str, object], info: dict[str, object], owed: bool
) -> None:
    assert daemon_json.still_in_effect(GONE, wanted, info) is owed


def test_an_engine_shows_mirrors_data_root_and_log_driver() -> None:
    options = {"registry-mirrors": ["http://m:1/"], "data-root": "/data/docker", "log-driver": "local"}
    info = {"RegistryConfig": {"Mirrors": []}, "DockerRootDir": "/var/lib/docker", "LoggingDriver": "json-file"}
    assert daemon_json.not_in_effect(options, info) == [
        "registry-mirrors http://m:1/",
        "data-root /data/docker",
        "log-driver local",
    ]
    info = {"RegistryConfig": {"Mirrors": ["http://m:1/"]}, "DockerRootDir": "/data/docker", "LoggingDriver": "local"}
    assert daemon_json.not_in_effect(options, info) == []


def test_lists_keep_their_order_when_nothing_came_or_went() -> None:
    present = {"labels": ["a", "b"], "insecure-registries": ["x:1"]}
    wanted = {"labels": ["b", "a"], "insecure-registries": ["x:1", "y:1"]}
    assert daemon_json.in_order(wanted, present) == {"labels": ["a", "b"], "insecure-registries": ["x:1", "y:1"]}


def test_a_link_and_a_file_of_somebody_else_are_not_written_through(tmp_path: Path) -> None:
    file, link = tmp_path / "daemon.json", tmp_path / "link.json"
    file.write_text("{}")
    link.symlink_to(file)
    own = file.stat().st_uid
    assert daemon_json.unsafe(str(file), owner=own) == ""
    assert "is a link, expected a plain file" in daemon_json.unsafe(str(link), owner=own)
    assert f"belongs to uid {own}, expected {own + 1}" in daemon_json.unsafe(str(file), owner=own + 1)


def test_every_copy_goes_and_nothing_else(tmp_path: Path) -> None:
    path, last = tmp_path / "daemon.json", tmp_path / "last"
    path.write_text('{"a": 1}')
    (tmp_path / "daemon.json.mine").write_text("")
    backup = daemon_json.write(str(path), '{"a": 2}', str(last))
    assert Path(backup).read_text() == '{"a": 1}'
    daemon_json.take_away(str(path), str(last))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["daemon.json", "daemon.json.mine"]
