"""The checks of the engine and of package sources: what an engine of the site's may bring, and what it need not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.compliance import test_docker_engine, test_host_baseline

MIRROR: dict[str, Any] = {"uri": "http://m/apt", "baseurl": "http://m/rpm", "exclusive": True}
REPOSITORY = {"uri": "http://m/docker/linux"}


class Host:
    """A host that answers a command by the first of *said* that is in it, and with code 1 otherwise."""

    def __init__(self, **said: str) -> None:
        self.backend = SimpleNamespace(get_hostname=lambda: "node1")
        self.said = said

    def run(self, command: str, *_: str) -> SimpleNamespace:
        found = next((text for word, text in self.said.items() if word in command), None)
        return SimpleNamespace(rc=1 if found is None else 0, stdout=found or "", stderr="")


def judge_sources(repository: dict[str, str], kind: str, key: str, *used: str) -> None:
    expected = {f"host_baseline_{kind}_sources": [MIRROR], "docker_engine_repository": repository}
    test_host_baseline.judge_sources(Host(), expected, kind, key, set(used))


@pytest.mark.parametrize(
    ("kind", "key", "docker"),
    [
        ("apt", "uri", "http://m/docker/linux/debian"),
        ("rpm", "baseurl", "http://m/docker/linux/centos/8/$basearch/stable"),
    ],
)
def test_the_only_sources_are_those_of_the_site_and_dockers_where_the_site_names_it(
    kind: str, key: str, docker: str
) -> None:
    judge_sources(REPOSITORY, kind, key, MIRROR[key], docker)
    with pytest.raises(pytest.fail.Exception, match=r"package sources: expected only http://m/"):
        judge_sources({}, kind, key, MIRROR[key], docker)
    with pytest.raises(pytest.fail.Exception, match=r"found .*http://m/docker/linux-of-others"):
        judge_sources(REPOSITORY, kind, key, MIRROR[key], "http://m/docker/linux-of-others/x")


def test_an_engine_that_was_adopted_needs_no_repository() -> None:
    expected: dict[str, Any] = {"docker_engine_repository": REPOSITORY}
    test_docker_engine.test_packages_come_from_dockers_own_repository(Host(), expected)
    with pytest.raises(pytest.fail.Exception, match="the repository's file: expected http://m/docker/linux, found no"):
        test_docker_engine.test_packages_come_from_dockers_own_repository(Host(dpkg="", cat=""), expected)
    by_hand = Host(dpkg="", cat="", grep="")  # the operator's own entry names it
    test_docker_engine.test_packages_come_from_dockers_own_repository(by_hand, expected)


@pytest.mark.parametrize(("found", "good"), [("28.0.4", True), ("28.0.4+dfsg1", True), ("28.0.5", False)])
def test_the_engine_has_the_version_that_the_site_names(found: str, good: bool) -> None:
    host, expected = Host(version=found), {"docker_engine_version": "28.0.4"}
    if good:
        test_docker_engine.test_docker_has_the_version_of_the_site(host, expected)
        return
    with pytest.raises(pytest.fail.Exception, match=r"version of the Docker engine: expected 28\.0\.4, found 28\.0\.5"):
        test_docker_engine.test_docker_has_the_version_of_the_site(host, expected)
