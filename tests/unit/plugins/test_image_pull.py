"""Images: sources in order, digest and architecture compared, one canonical name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from plugins.module_utils.converge import image_pull
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.progress import Progress

DIGEST = "sha256:" + "a" * 64


class Engine:
    """Plays the Docker Engine: what each repository gives, and what was asked of it."""

    def __init__(self, gives: dict[str, Any]) -> None:
        self.gives = gives
        self.local: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.tags: list[tuple[str, str, str]] = []

    def get(self, url: str) -> Any:
        return self.local.get(url.removeprefix("/images/").removesuffix("/json"))

    def post(self, url: str, query: dict[str, str]) -> None:
        self.tags.append((url, query["repo"], query["tag"]))

    def stream(self, _: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        repository, tag = query["fromImage"], query["tag"]
        self.asked.append((repository, tag))
        found = self.gives.get(repository)
        if found is None:
            yield {"error": "no such host", "errorDetail": {"message": "no such host"}}
            return
        yield {"id": "l1", "status": "Downloading", "progressDetail": {"current": 40, "total": 100}}
        yield {"id": "l1", "status": "Download complete"}
        yield {"id": "l1", "status": "Extracting", "progressDetail": {"current": 7, "total": 300}}
        separator = "@" if tag.startswith("sha256:") else ":"
        self.local[f"{repository}{separator}{tag}"] = found


def image(digest: str = DIGEST) -> dict[str, Any]:
    sources = ["mirror:5000/org/engine:v1", "hub.example/org/engine:v1"]
    return {
        "name": "hub.example/org/engine:v1",
        "digest": digest,
        "sources": sources,
        "architecture": "amd64",
        "size_bytes": 0,
    }


def local(digest: str = DIGEST, architecture: str = "amd64") -> dict[str, Any]:
    return {"Id": "sha256:id", "RepoDigests": [f"some/name@{digest}"], "Architecture": architecture}


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("a/b:v1", ("a/b", "v1")),
        ("host:5000/a/b", ("host:5000/a/b", "latest")),
        ("host:5000/a:v2", ("host:5000/a", "v2")),
        ("a/b:v1@sha256:00", ("a/b", "v1")),
    ],
)
def test_a_reference_is_split(reference: str, parts: tuple[str, str]) -> None:
    assert image_pull.split_reference(reference) == parts


def test_the_first_source_that_works_is_taken_and_named(progress: Progress) -> None:
    engine = Engine({"hub.example/org/engine": local()})
    assert image_pull.pull(engine, image(), progress) == ("hub.example/org/engine:v1", 100)
    assert engine.asked == [("mirror:5000/org/engine", DIGEST), ("hub.example/org/engine", DIGEST)]
    assert engine.tags == [("/images/sha256:id/tag", "hub.example/org/engine", "v1")]


def test_an_unknown_digest_pulls_the_tag(progress: Progress) -> None:
    engine = Engine({"mirror:5000/org/engine": local()})
    assert image_pull.pull(engine, image(""), progress)[0] == "mirror:5000/org/engine:v1"
    assert engine.asked == [("mirror:5000/org/engine", "v1")]


@pytest.mark.parametrize("given", [local("sha256:" + "b" * 64), local(architecture="arm64")])
def test_another_image_is_refused_and_not_named(given: dict[str, Any], progress: Progress) -> None:
    engine = Engine({"mirror:5000/org/engine": given, "hub.example/org/engine": given})
    with pytest.raises(RefusedError, match=r"no source gave the image.*gave digest.*expected sha256:aaa.* for amd64"):
        image_pull.pull(engine, image(), progress)
    assert engine.tags == []


def test_every_source_that_failed_is_named(progress: Progress) -> None:
    with pytest.raises(
        RefusedError, match=r"mirror:5000/org/engine:v1: no such host; hub.example/org/engine:v1: no such host"
    ):
        image_pull.pull(Engine({}), image(), progress)


def test_a_local_image_is_compared() -> None:
    found = {"id": "sha256:id", "digests": [DIGEST], "architecture": "amd64"}
    assert image_pull.is_wanted(found, DIGEST, "amd64")
    assert image_pull.is_wanted(found, "", "amd64")
    assert not image_pull.is_wanted(found, DIGEST, "arm64")
    assert not image_pull.is_wanted(found, "sha256:other", "amd64")
    assert not image_pull.is_wanted({}, "", "")
