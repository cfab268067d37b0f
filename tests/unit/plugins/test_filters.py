"""Filters: what systemd reads back, which files an OS needs, whose the cards are."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.filter import provision as filters


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["/usr/bin/docker", "run", "--env", "A=1"], "/usr/bin/docker run --env A=1"),
        (["x", "--json={'a': \"1\"}"], r"""x "--json={'a': \"1\"}" """.rstrip()),
        (["sh", "-c", "kill $pid; 50%"], 'sh -c "kill $$pid; 50%%"'),
        (["x", "", " "], 'x "" " "'),
        (["x", ";"], 'x ";"'),
        (["x", "a\\b", "two\nlines"], r'x "a\\b" "two\nlines"'),
        (["x", "模型"], 'x "模型"'),
    ],
)
def test_words_reach_the_program_unchanged(argv: list[str], line: str) -> None:
    assert filters.systemd_quote(argv) == line


@pytest.mark.parametrize("program", ["-x", "@x", "+x", "!x", ":x", " x"])
def test_a_program_that_systemd_would_read_otherwise_is_refused(program: str) -> None:
    with pytest.raises(ValueError, match="can not be a program's name"):
        filters.systemd_quote([program, "a"])


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL byte"):
        filters.systemd_quote(["x", "a\0b"])


def test_the_closest_variable_file_comes_first() -> None:
    debian = {"id": "debian", "version_id": "12", "id_like": ""}
    assert filters.os_files(debian) == ["debian_12.yml", "debian.yml"]
    ubuntu = {"id": "ubuntu", "version_id": "22.04", "id_like": "debian"}
    assert filters.os_files(ubuntu) == ["ubuntu_22.yml", "ubuntu.yml", "debian.yml"]
    rolling = {"id": "odd", "version_id": "", "id_like": ["rhel", "fedora"]}
    assert filters.os_files(rolling) == ["odd.yml", "rhel.yml", "fedora.yml"]


@pytest.mark.parametrize(
    ("text", "ready"),
    [
        ('{"device_id":0, "boot status":16}\n{"device_id":1, "boot status":16}', True),
        ("{device_id:0, boot status:16}\n{device_id:1, boot status:3}", False),
        ("boot status:16", True),
        ("", False),
        ("dcmi module initialize failed. ret is -8005", False),
    ],
)
def test_all_devices_have_to_be_up(text: str, ready: bool) -> None:
    assert filters.devices_booted(text) is ready


HOLDERS: list[dict[str, Any]] = [
    {"kind": "container", "name": "provision-ray-chat", "pid": 5, "cards": ["0"]},
    {"kind": "container", "name": "old-vllm", "pid": 6, "cards": ["3"]},
    {"kind": "process", "name": "python3", "pid": 7, "cards": ["4"]},
    {"kind": "container", "name": "all-of-them", "pid": 8, "cards": ["all"]},
]


def test_our_own_services_may_be_stopped_and_nobody_elses() -> None:
    found = filters.holders_of_cards(HOLDERS, "provision-")
    assert found["managed"] == ["provision-ray-chat"]
    assert found["foreign"] == [
        "container old-vllm (pid 6)",
        "process python3 (pid 7)",
        "container all-of-them (pid 8)",
    ]


def test_holders_of_other_cards_do_not_matter() -> None:
    assert filters.holders_of_cards(HOLDERS[:3], "provision-", ["/dev/davinci0", "/dev/davinci1"])["foreign"] == []
    assert filters.holders_of_cards(HOLDERS[:3], "provision-", [3, 5])["foreign"] == ["container old-vllm (pid 6)"]
    assert filters.holders_of_cards(HOLDERS, "provision-", [1])["foreign"] == ["container all-of-them (pid 8)"]


def test_spoilt_files_are_listed_by_model() -> None:
    models = {"/m": {"bad": [{"file": "a", "reason": "short"}]}, "/whole": {"bad": []}, "/unknown": None}
    assert filters.spoilt_files(models) == {"/m": ["a"]}


def test_hosts_of_the_same_cluster_are_found() -> None:
    hosts: dict[str, Any] = {
        "a": {"ray_cluster_members": [{"name": "chat"}]},
        "b": {"ray_cluster_members": [{"name": "chat"}, {"name": "code"}]},
        "c": {"ray_cluster_members": [{"name": "code"}]},
        "d": {},
    }
    assert filters.cluster_mates(["b", "c", "d"], hosts, "a") == ["b"]


def test_services_on_a_stopped_ray_node_are_restarted() -> None:
    member = [{"name": "chat"}]
    hosts: dict[str, Any] = {
        "head": {"ray_cluster_members": member, "inference_service_services": [{"name": "chat"}, {"name": "alone"}]},
        "worker": {"ray_cluster_members": member},
    }
    both = ["head", "worker"]
    assert filters.services_to_restart(both, hosts, "head") == []
    for fact in ("reboot_done", "docker_engine_restarted", "ascend_docker_runtime_restarted"):
        worker = {**hosts["worker"], fact: True}
        assert filters.services_to_restart(both, {**hosts, "worker": worker}, "head") == ["chat"]
        # what was stopped on the head took the service with it
        assert filters.services_to_restart(both, {**hosts, "head": {**hosts["head"], fact: True}}, "head") == []
    worker = {**hosts["worker"], "ray_cluster_restarted": ["chat"]}
    assert filters.services_to_restart(both, {**hosts, "worker": worker}, "head") == ["chat"]
    assert filters.services_to_restart(both, {**hosts, "worker": worker}, "worker") == []
