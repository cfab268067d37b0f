"""What the role docker_engine refuses is said with what was found, what was expected, and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.filter.docker_engine import docker_refusals, docker_version_refusal

ENGINE = {"installed": True, "version": "20.10.24+dfsg1"}
WANTED = {"source": "distribution", "repository": {}, "data_root": "/data/docker"}


def refusals(detail: dict[str, Any], docker: dict[str, Any] = ENGINE, **wanted: Any) -> list[str]:
    return docker_refusals([{"what": "x", "detail": detail}], docker, {**WANTED, **wanted})


def test_what_can_be_mended_is_not_refused() -> None:
    assert refusals({"keys": ["log-driver"], "data_root": {"from": "/var/lib/docker", "holds": []}}) == []


def test_an_engine_that_is_not_there_can_not_be_adopted() -> None:
    (said,) = refusals({}, {"installed": False, "version": None}, source="present")
    assert said.startswith("there is no Docker Engine, and site.yml says docker.source: present. Install one, or write")


@pytest.mark.parametrize("repository", [{}, {"uri": "http://m/linux", "key_file": "", "key_sha256": ""}])
def test_a_key_that_nobody_vouches_for_is_refused(repository: dict[str, str]) -> None:
    (said,) = refusals({}, source="docker", repository=repository)
    assert "site.yml has neither docker.repository.key_file nor docker.repository.key_sha256" in said


def test_every_key_in_two_places_is_named_with_its_file() -> None:
    twice = [
        {"key": "debug", "option": "--debug", "file": "/etc/default/docker"},
        {"key": "hosts", "option": "--host", "file": ""},
    ]
    (said,) = refusals({"twice": twice})
    assert (
        "found debug (--debug in /etc/default/docker), hosts (--host in docker.service). Remove the option there"
        in said
    )


def test_foreign_proxies_are_named_with_their_file() -> None:
    (said,) = refusals({"foreign": {"HTTPS_PROXY": "/etc/x.conf", "HTTP_PROXY": "/etc/x.conf"}})
    assert "HTTPS_PROXY, HTTP_PROXY are set in /etc/x.conf already. Remove them there, or remove docker.proxy" in said


def test_data_is_not_left_behind() -> None:
    (said,) = refusals({"data_root": {"from": "/var/lib/docker", "holds": ["image", "volumes"]}})
    assert (
        "docker.data_root: /data/docker; the engine keeps its data in /var/lib/docker, and image, volumes in it" in said
    )
    assert "mv /var/lib/docker /data/docker" in said


@pytest.mark.parametrize(("had", "target"), [({}, "/var/lib/docker"), ({"had": "/srv/docker"}, "/srv/docker")])
def test_data_is_not_left_behind_when_the_site_names_no_folder_any_more(had: dict[str, str], target: str) -> None:
    docker = {**ENGINE, "daemon_keys": {"docker_engine": {"data-root": {"set": "/data/docker", **had}}}}
    (said,) = refusals({"data_root": {"from": "/data/docker", "holds": ["image"]}}, docker, data_root="")
    assert f"site.yml names no docker.data_root any more, so it would again be {target}; the engine keeps" in said
    assert f"mv /data/docker {target}" in said


def test_an_engine_that_never_left_the_folder_leaves_nothing_behind() -> None:
    assert refusals({"data_root": {"from": "/var/lib/docker", "holds": ["image"]}}, data_root="") == []


def test_several_reasons_are_all_said() -> None:
    detail = {"foreign": {"HTTP_PROXY": "/x"}, "data_root": {"from": "/a", "holds": ["image"]}}
    assert len(refusals(detail)) == 2


VERSIONS = {"source": "docker", "version": "", "version_min": "20.10.0"}


def test_an_engine_of_somebody_else_is_not_replaced() -> None:
    said = docker_version_refusal({"version": "18.09.0"}, False, VERSIONS)
    assert "there is Docker Engine 18.09.0, expected 20.10.0 or later (the release), and it is not the one that" in said
    assert "docker.source: docker brings" in said


@pytest.mark.parametrize(("found", "wanted"), [("28.0.4", "20.10.24"), ("20.10.24+dfsg1", "20.10.9"), ("5.10", "5.9")])
def test_an_older_engine_never_replaces_a_newer_one(found: str, wanted: str) -> None:
    said = docker_version_refusal({"version": found}, True, {**VERSIONS, "version": wanted})
    assert (
        f"there is Docker Engine {found}, expected {wanted} (site.yml: docker.version). An older engine may not" in said
    )


@pytest.mark.parametrize("version", ["", "28.0.4"])
def test_our_older_engine_is_updated(version: str) -> None:
    assert docker_version_refusal({"version": "18.09.0"}, True, {**VERSIONS, "version": version}) == ""
