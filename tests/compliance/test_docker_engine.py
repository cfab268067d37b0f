"""The Docker engine and the keys of its configuration that are ours."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.compliance import judge

CONFIG = "/etc/docker/daemon.json"


def test_docker_is_active_and_enabled(host: Any) -> None:
    state = host.run("systemctl is-active docker; systemctl is-enabled docker").stdout.split()
    judge.equal(host, "docker.service", "active, enabled", judge.listed(state))


def test_docker_answers_and_is_new_enough(host: Any, expected: dict[str, Any]) -> None:
    found = judge.output(host, "Docker engine", "docker version --format '{{.Server.Version}}'")
    wanted = expected["docker_engine_version_min"]
    judge.true(host, "version of the Docker engine", judge.at_least(found, wanted), f"at least {wanted}", found)


@pytest.mark.asked_for("docker_engine_version")
def test_docker_has_the_version_of_the_site(host: Any, expected: dict[str, Any]) -> None:
    found = judge.output(host, "Docker engine", "docker version --format '{{.Server.Version}}'")
    wanted, plain = expected["docker_engine_version"], re.compile(r"[+~].*")  # a distribution adds to it
    judge.same_version(host, "version of the Docker engine", plain.sub("", wanted), plain.sub("", found))


@pytest.mark.asked_for("docker_engine_daemon_options")
def test_daemon_json_has_our_keys(host: Any, expected: dict[str, Any]) -> None:
    wanted = expected["docker_engine_daemon_options"]
    text = judge.content(host, CONFIG)
    try:
        found = json.loads(text)
    except ValueError as error:
        judge.fail(host, CONFIG, "one JSON document", f"{error}: {text[:80]}")
        return
    for key, value in wanted.items():
        judge.true(
            host, f"{CONFIG}: {key}", judge.within(value, found.get(key)), json.dumps(value), json.dumps(found.get(key))
        )


@pytest.mark.asked_for("docker_engine_users")
def test_users_may_use_docker(host: Any, expected: dict[str, Any]) -> None:
    users = expected["docker_engine_users"]
    members = judge.output(host, "group docker", "getent group docker").split(":")[3].split(",")
    judge.equal(host, "users missing in group docker", "none", judge.listed(sorted(set(users) - set(members))))


@pytest.mark.asked_for("docker_engine_proxy")
def test_docker_runs_with_the_proxies(host: Any, expected: dict[str, Any]) -> None:
    wanted = expected["docker_engine_proxy"]
    text = judge.output(
        host, "Docker engine", "docker info --format '{{json .HTTPProxy}} {{json .HTTPSProxy}} {{json .NoProxy}}'"
    )
    found = [json.loads(word) for word in text.split()]
    judge.equal(host, "proxies of the Docker engine", [wanted["http"], wanted["https"]], found[:2])
    judge.equal(host, "names that need no proxy", ",".join(wanted["no_proxy"]), found[2])


@pytest.mark.asked_for("docker_engine_static")
def test_programs_are_those_of_the_archive(host: Any, expected: dict[str, Any]) -> None:
    found = judge.output(host, "dockerd", "dockerd --version")
    wanted = expected["docker_engine_static"]["version"]
    judge.true(host, "dockerd --version", f" {wanted}," in found or f" {wanted}+" in found, wanted, found)


@pytest.mark.asked_for("docker_engine_repository")
def test_packages_come_from_dockers_own_repository(host: Any, expected: dict[str, Any]) -> None:
    debian = "dpkg-query --show --showformat '${db:Status-Status}' docker-ce 2>/dev/null | grep -qx installed"
    if host.run(f"{debian} || rpm --query docker-ce >/dev/null 2>&1").rc != 0:
        return  # another engine was there, and was adopted: nothing was installed from there
    files = "/etc/apt/sources.list.d/provision-docker.sources /etc/yum.repos.d/provision-docker.repo"
    text = host.run(f"cat {files} 2>/dev/null").stdout
    others = (
        "grep --recursive --quiet docker /etc/apt/sources.list /etc/apt/sources.list.d /etc/yum.repos.d 2>/dev/null"
    )
    if not text and host.run(others).rc == 0:
        return  # the same packages by the operator's own entry: adopted as well
    uri = expected["docker_engine_repository"]["uri"]
    judge.true(host, "the repository's file", f"{uri}/" in text, uri, text or "no such file")
