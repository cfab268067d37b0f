"""Filters: what systemd reads back, which files an OS needs, whose the cards are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

from plugins.filter import provision as filters
from plugins.module_utils.state import compare_ray_cluster, units

ROOT = Path(__file__).resolve().parents[3]


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
    debian = {"id": "debian", "version_id": "12", "id_like": "", "package_manager": "apt"}
    assert filters.os_files(debian) == ["debian_12.yml", "debian.yml", "apt.yml"]
    ubuntu = {"id": "ubuntu", "version_id": "22.04", "id_like": "debian", "package_manager": "apt"}
    assert filters.os_files(ubuntu) == ["ubuntu_22.04.yml", "ubuntu_22.yml", "ubuntu.yml", "debian.yml", "apt.yml"]
    assert filters.os_files(ubuntu, "openeuler") == ["openeuler.yml", "apt.yml"]
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


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (3, {"3"}),
        ("/dev/davinci12", {"12"}),
        ("0-3,5", {"0", "1", "2", "3", "5"}),
        ("npu-1", {"1"}),
        ("Ascend910-2, Ascend910-4", {"2", "4"}),
        ("5-2", {"all"}),
        ("0-500", {"all"}),
        ("what", {"all"}),
    ],
)
def test_cards_in_the_vendors_spellings_are_numbers(text: object, numbers: set[str]) -> None:
    assert filters.card_numbers(text) == numbers


def test_a_range_is_held_as_a_whole() -> None:
    holder = [{"kind": "container", "name": "old", "pid": 6, "cards": ["0-3"]}]
    assert filters.holders_of_cards(holder, "provision-", ["/dev/davinci1"])["foreign"] == ["container old (pid 6)"]
    assert filters.holders_of_cards(holder, "provision-", ["/dev/davinci4"])["foreign"] == []


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


def node(active_seconds: int, *items: tuple[str, bool]) -> dict[str, Any]:
    """Return the variables of a member of the cluster chat; *items* of drift are (what, restart)."""
    drift = [
        {"what": what, "detail": {"name": "chat", "restart": restart, "ready_seconds": 300}} for what, restart in items
    ]
    ray = {"chat": {"unit_active": True, "active_seconds": active_seconds}}
    state = {"drift": {"ray_cluster": drift}, "facts": {"ray": ray}}
    return {"host_state": state, "ray_cluster_members": [{"name": "chat"}]}


@pytest.mark.parametrize(
    ("head", "worker", "restarted"),
    [
        (node(900), node(900), []),
        (node(900, ("ray", True)), node(900), ["head"]),
        (node(900, ("ray resources", True)), node(900), ["head", "worker"]),
        (node(20, ("ray resources", False)), node(900), []),
        (node(900, ("ray resources", True)), node(20), []),
        (node(900, ("ray resources", True)), node(0, ("provision-ray-chat.service", False)), []),
        (node(900, ("ray resources", True)), node(900, ("container provision-ray-chat", True)), ["worker"]),
        (node(900, ("ray resources", True)), {"ray_cluster_members": [{"name": "chat"}]}, ["head", "worker"]),
    ],
    ids=[
        "well", "head_silent", "somebody_hangs", "head_starts", "worker_starts", "worker_is_mended", "worker_hangs",
        "worker_not_seen",
    ],
)  # fmt: skip
def test_a_ray_node_is_restarted_when_nothing_else_mends_it(
    head: dict[str, Any], worker: dict[str, Any], restarted: list[str]
) -> None:
    hosts = {"head": head, "worker": worker}
    assert [name for name in hosts if filters.clusters_to_restart(list(hosts), hosts, name)] == restarted


def test_drift_says_what_to_restart_and_what_to_put_aside() -> None:
    items = [
        {"detail": {"name": "chat", "restart": True}},
        {"detail": {"name": "code", "restart": False, "drop_ins": ["/etc/x.service.d/a.conf"]}},
        {"detail": {}},
    ]
    assert filters.items_to_restart(items) == ["chat"]
    assert filters.drop_ins(items) == ["/etc/x.service.d/a.conf"]


def test_a_unit_without_a_digest_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="no X-Provision-Digest"):
        filters.sealed("[Unit]\nDescription=x\n")


@pytest.mark.parametrize(("role", "template"), [("ray_cluster", "ray"), ("inference_service", "inference")])
def test_the_units_are_sealed_by_their_templates(role: str, template: str) -> None:
    text = (ROOT / f"roles/{role}/templates/{template}.service").read_text(encoding="utf-8")
    engine = Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - as Ansible does
    engine.filters.update(filters.FilterModule().filters())
    values = {
        "name": "chat", "role": "head", "digest": "0123abcd", "argv": ["/usr/bin/docker", "run"], "container": "c",
        "after_unit": "a.service", "kind": "docker-run", "stop_argv": ["/usr/bin/docker", "stop", "c"],
    }  # fmt: skip
    found = engine.from_string(text).render(item=values)
    assert found.startswith("# Written by provision")
    assert found.endswith("WantedBy=multi-user.target\n")
    mark = f"X-Provision-Content={units.seal(found)}"
    assert found.splitlines().index(mark) == found.splitlines().index("X-Provision-Digest=0123abcd") + 1


def test_role_and_observation_wait_equally_long_for_a_ray_node() -> None:
    variables = yaml.safe_load((ROOT / "roles/ray_cluster/vars/main.yml").read_text(encoding="utf-8"))
    assert variables["__ray_cluster_ready_seconds"] == compare_ray_cluster.READY_SECONDS
