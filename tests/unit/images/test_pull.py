"""Images are pulled from the sources in order, by digest, with a login in one header, under one canonical name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import image_engine, image_names, image_pull
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.image_mirrors import Engine as Settings
from plugins.module_utils.converge.image_mirrors import Mirrors
from plugins.module_utils.converge.progress import Progress
from plugins.module_utils.converge.registry_client import Login
from tests.unit.images import servers
from tests.unit.images.engine import Engine
from tests.unit.images.parts import NAME, Image, wanted


def mirrors(tmp_path: Path, **logins: Login) -> Mirrors:
    known = {name.replace("_", ":"): login for name, login in logins.items()}
    return Mirrors(Settings({}, ["127.0.0.0/8"], []), known, str(tmp_path / "registries.json"))


def local(image: Image, **changes: Any) -> dict[str, Any]:
    return {"Id": image.id, "RepoDigests": [f"some/name@{image.digest}"], "Architecture": "amd64", **changes}


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
    assert image_names.split_reference(reference) == parts


@pytest.mark.parametrize(
    ("reference", "place"),
    [
        ("engine:v1", ("docker.io", "library/engine")),
        ("docker.io/engine", ("docker.io", "library/engine")),
        ("a/b:v1", ("docker.io", "a/b")),
        ("host:5000/a/b:v1", ("host:5000", "a/b")),
        ("localhost/b", ("localhost", "b")),
    ],
)
def test_the_registry_of_a_name_is_found(reference: str, place: tuple[str, str]) -> None:
    assert image_names.place_of(reference) == place


@pytest.mark.parametrize(
    ("tag", "suffix"), [("v1-b2", "-b2"), ("v1-b2-openeuler", "-b2"), ("v1-openeuler", ""), ("v1-b22", "")]
)
def test_the_end_of_a_tag_for_another_chip_is_seen(tag: str, suffix: str) -> None:
    assert image_names.foreign_suffix(f"x/y:{tag}", NAME, ["-b2", "-c3"]) == suffix


def test_the_first_source_that_has_it_is_taken_and_named(
    tmp_path: Path, store: Path, image: Image, progress: Progress
) -> None:
    with servers.registry(store) as address:
        engine = Engine({f"{address}/org/engine": local(image)})
        sources = [f"{address}/org/absent:v1", f"{address}/org/engine:v1"]
        done = image_pull.pull(engine, wanted(image, sources=sources), mirrors(tmp_path), progress)
    assert done == (sources[1], 100)
    assert engine.asked == [(f"{address}/org/engine", image.digest)], "the engine is asked only for what is there"
    assert engine.names[NAME] == image.id
    assert engine.logins == []


def test_an_unknown_digest_pulls_the_tag(tmp_path: Path, store: Path, image: Image, progress: Progress) -> None:
    with servers.registry(store) as address:
        engine = Engine({f"{address}/org/engine": local(image)})
        source = f"{address}/org/engine:v1"
        assert image_pull.pull(engine, wanted(sources=[source]), mirrors(tmp_path), progress)[0] == source
    assert engine.asked == [(f"{address}/org/engine", "v1")]


def test_a_login_goes_to_its_registry_in_a_header(
    tmp_path: Path, store: Path, image: Image, progress: Progress
) -> None:
    with servers.guarded_by_password(store) as address:
        engine = Engine({f"{address}/org/engine": local(image)})
        known = mirrors(tmp_path, **{address.replace(":", "_"): Login(servers.USER, servers.PASSWORD)})
        image_pull.pull(engine, wanted(image, sources=[f"{address}/org/engine:v1"]), known, progress)
    said = {"username": servers.USER, "password": servers.PASSWORD, "serveraddress": address}
    assert engine.logins == [said]
    assert servers.PASSWORD not in (tmp_path / "registries.json").read_text(encoding="utf-8")


def test_every_source_that_failed_is_named(tmp_path: Path, store: Path, image: Image, progress: Progress) -> None:
    dead = servers.dead()
    with servers.registry(store) as address, servers.misbehaving(429, Retry_After="7") as busy:
        other = wanted(digest="sha256:" + "0" * 64)
        other["sources"] = [f"{place}/org/engine:v1" for place in (dead, busy, address)]
        with pytest.raises(RefusedError, match="no source gave the image") as refused:
            image_pull.pull(Engine(), other, mirrors(tmp_path), progress)
    text = str(refused.value)
    assert f"{dead}/org/engine:v1: " in text
    assert "refused" in text
    assert "too many requests, again in 7 s" in text
    assert f"has {image.digest} as v1 of org/engine, expected {other['digest']}" in text


@pytest.mark.parametrize(
    "changes", [{"RepoDigests": ["x@sha256:" + "b" * 64], "Id": "sha256:b"}, {"Architecture": "arm64"}]
)
def test_an_engine_that_gives_another_image_is_not_believed(
    tmp_path: Path, store: Path, image: Image, changes: dict[str, Any], progress: Progress
) -> None:
    with servers.registry(store) as address:
        engine = Engine({f"{address}/org/engine": local(image, **changes)})
        one = wanted(image, sources=[f"{address}/org/engine:v1"])
        with pytest.raises(RefusedError, match=r"gave digest .* for .*, expected sha256:\w+ for amd64 \(site.lock"):
            image_pull.pull(engine, one, mirrors(tmp_path), progress)
    assert NAME not in engine.names


def test_a_registry_that_stops_sending_is_passed_by(
    tmp_path: Path, store: Path, image: Image, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_pull, "STALL_SECONDS", -1.0)
    with servers.registry(store) as address:
        engine = Engine({f"{address}/org/engine": local(image)})
        engine.retries = 3
        one = wanted(image, sources=[f"{address}/org/engine:v1"])
        with pytest.raises(RefusedError, match=r"nothing came for -1 s, 0 bytes had come before"):
            image_pull.pull(engine, one, mirrors(tmp_path), progress)


def test_room_is_asked_for_before_the_first_byte(
    tmp_path: Path, store: Path, image: Image, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_engine, "free_bytes", lambda _: 10)
    with servers.registry(store) as address:
        engine = Engine({f"{address}/org/engine": local(image)})
        with pytest.raises(RefusedError, match=rf"/ has 10 bytes free, expected {3 * len(image.packed)}: .*prune"):
            image_pull.pull(engine, wanted(image, sources=[f"{address}/org/engine:v1"]), mirrors(tmp_path), progress)
    assert engine.asked == []


def test_a_local_image_is_compared(image: Image) -> None:
    found = {"id": image.id, "digests": [image.digest], "architecture": "amd64", "labels": {"provision.build": "k"}}
    assert image_pull.is_wanted(found, wanted(image))
    assert image_pull.is_wanted(found, wanted(id=image.id))
    assert image_pull.is_wanted(found, wanted())
    assert not image_pull.is_wanted(found, wanted(image, architecture="arm64"))
    assert not image_pull.is_wanted(found, wanted(digest="sha256:other"))
    assert not image_pull.is_wanted({}, wanted())
    assert not image_pull.is_wanted(found, wanted(archive={"sha256": "f" * 64}))
    assert image_pull.is_wanted(found, wanted(build={"label": "provision.build", "key": "k"}))
    assert not image_pull.is_wanted(found, wanted(build={"label": "provision.build", "key": "other"}))
