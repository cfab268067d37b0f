"""The container runtime that brings cards into containers, and that Docker knows it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.compliance import judge

NAME = "ascend"


def folder(expected: dict[str, Any]) -> str:
    return f"{expected['ascend_docker_runtime_install_path']}/Ascend-Docker-Runtime"


def test_installed_runtime_is_the_version_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    place = f"{folder(expected)}/ascend_docker_runtime_install.info"
    found = re.search(r"(?m)^version=v?(\S+)", judge.content(host, place))
    judge.equal(
        host, place, expected["ascend_docker_runtime_version"], found.group(1) if found else "a file without version="
    )


def test_runtime_programs_are_executable(host: Any, expected: dict[str, Any]) -> None:
    wanted = [f"{folder(expected)}/ascend-docker-{part}" for part in ("runtime", "hook", "cli", "destroy")]
    script = f"for f in {' '.join(wanted)}; do test -x $f || echo $f; done"
    judge.equal(host, "missing programs of the runtime", "none", judge.listed(host.run(script).stdout.split()))


def test_daemon_json_names_the_runtime(host: Any, expected: dict[str, Any]) -> None:
    text = judge.content(host, "/etc/docker/daemon.json")
    try:
        found = json.loads(text)
    except ValueError as error:
        judge.fail(host, "/etc/docker/daemon.json", "one JSON document", str(error))
        return
    path = found.get("runtimes", {}).get(NAME, {}).get("path", "no entry")
    judge.equal(
        host, f"/etc/docker/daemon.json: runtimes.{NAME}.path", f"{folder(expected)}/ascend-docker-runtime", path
    )
    if expected["ascend_docker_runtime_default_runtime"]:
        judge.equal(host, "/etc/docker/daemon.json: default-runtime", NAME, found.get("default-runtime", "no entry"))


def test_docker_runs_with_the_runtime(host: Any, expected: dict[str, Any]) -> None:
    text = judge.output(host, "Docker engine", "docker info --format '{{json .Runtimes}} {{json .DefaultRuntime}}'")
    known, _, default = text.rpartition(" ")
    path = json.loads(known).get(NAME, {}).get("path", "no entry")
    judge.equal(host, f"path of Docker's runtime {NAME}", f"{folder(expected)}/ascend-docker-runtime", path)
    if expected["ascend_docker_runtime_default_runtime"]:
        judge.equal(host, "Docker's default runtime", NAME, json.loads(default))


@pytest.mark.asked_for("ascend_docker_runtime_mounts")
def test_own_list_names_the_mounts_that_exist(host: Any, expected: dict[str, Any]) -> None:
    wanted = expected["ascend_docker_runtime_mounts"]
    present = host.run(f"for p in {' '.join(wanted)}; do test -e $p && echo $p; done; true").stdout.split()
    found = host.run("cat /etc/ascend-docker-runtime.d/provision.list 2>/dev/null").stdout.split()
    judge.equal(host, "/etc/ascend-docker-runtime.d/provision.list", judge.listed(present), judge.listed(found))
