"""A site with a bundle: every mirror stands for its server, and nothing that a bundle cannot hold is passed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from driver import paths, resolve
from driver.bundle.fetch import session
from driver.bundle.wanted import wanted
from driver.errors import SiteError
from driver.resolved import ResolvedSite

URL = "http://10.0.0.5:8090"
SUM = "ab" * 32


def site(folder: Path, *, bundled: bool = True, **changed: Any) -> ResolvedSite:
    """Resolve the lab's site with some keys changed."""
    document = yaml.safe_load((paths.INVENTORIES / "lab/site.yml").read_text(encoding="utf-8"))
    (folder / "site.yml").write_text(yaml.safe_dump(document | changed), encoding="utf-8")
    return resolve.load(folder, bundled=bundled)


def mirrors(**changed: Any) -> dict[str, Any]:
    document = yaml.safe_load((paths.INVENTORIES / "lab/site.yml").read_text(encoding="utf-8"))
    return {**document["mirrors"], **changed}


def test_every_mirror_stands_for_the_server(tmp_path: Path) -> None:
    rpm = [{"name": "os", "baseurl": "http://up.example/$basearch"}, {"name": "more", "baseurl": "http://up.example/x"}]
    found = site(tmp_path, bundle={"url": URL}, mirrors=mirrors(rpm=rpm), images=[])
    host = found.hosts[0]
    assert host.driver.url == f"{URL}/packages/{host.driver.file}"
    # the upstream registry is not even asked whether it answers
    assert host.images[0].sources == ("10.0.0.5:8090/quay.io/ascend/vllm-ascend:v0.23.0",)
    assert "10.0.0.5:8090" in found.docker.daemon_options["insecure-registries"]
    assert [(one.uri, one.exclusive) for one in host.apt] == [(f"{URL}/apt/lab", True)]
    assert [one.baseurl for one in host.rpm] == [f"{URL}/rpm/os/$basearch", f"{URL}/rpm/more"]
    assert found.models[0].endpoint == URL
    text = json.dumps(found.model_dump(mode="json", exclude={"bundle", "folder"}))
    assert "http://10.77.0.2" not in text
    assert "up.example" not in text


def test_without_the_key_nothing_changes(tmp_path: Path) -> None:
    plain = site(tmp_path)
    assert site(tmp_path, bundle={"url": URL}, bundled=False).hosts == plain.hosts
    assert site(tmp_path, bundle={"kernels": ["6.1.0-1"]}).hosts == plain.hosts


def test_the_server_is_reached_past_every_proxy(tmp_path: Path) -> None:
    found = site(tmp_path, bundle={"url": URL}, docker={"proxy": {"http": "http://10.0.0.1:3128"}})
    assert "10.0.0.5" in found.docker.proxy["no_proxy"]


def test_a_server_with_a_certificate_is_no_insecure_registry(tmp_path: Path) -> None:
    found = site(tmp_path, bundle={"url": "https://bundle.example"})
    assert "bundle.example" not in found.docker.daemon_options["insecure-registries"]


def test_archives_of_images_have_an_address_of_their_own(tmp_path: Path) -> None:
    archive = {"path": "/mnt/engine.tar", "sha256": SUM}
    images = [{"service": "chat", "archive": archive}]
    found = site(tmp_path, bundle={"url": URL}, images=images)
    assert found.images[0].archive["url"] == f"{URL}/sha256/{SUM}"
    assert "path" not in found.images[0].archive
    needs = wanted(site(tmp_path, bundle={"url": URL}, images=images, bundled=False))
    assert needs.images == ()
    assert [(file.name, file.url) for file in needs.files if file.kind == "file"] == [("engine.tar", "")]


@pytest.mark.parametrize(
    ("bundle", "message"),
    [
        ({"url": f"{URL}/mirror"}, r"bundle\.url: found .*; expected an address without a path"),
        ({"url": "10.0.0.5:8090"}, r"bundle\.url: found .*; expected an http or https address"),
        ({"server": URL}, r"bundle\.server: found unknown key"),
        (
            {"files": [{"name": "a/b", "sha256": SUM}]},
            r"bundle\.files\.0\.name: found 'a/b'; expected the name of a file",
        ),
        ({"files": [{"name": "a"}]}, r"bundle\.files\.0\.sha256: "),
    ],
)
def test_what_a_bundle_cannot_be_is_refused(tmp_path: Path, bundle: dict[str, Any], message: str) -> None:
    with pytest.raises(SiteError, match=message):
        site(tmp_path, bundle=bundle)


def test_a_release_that_only_hosts_know_has_to_be_said(tmp_path: Path) -> None:
    rpm = [{"name": "os", "baseurl": "http://up.example/$releasever/$basearch"}]
    with pytest.raises(SiteError, match=r"bundle\.releasever: found nothing, and mirrors\.rpm has .*add it, or write"):
        wanted(site(tmp_path, mirrors=mirrors(rpm=rpm), bundled=False))
    needs = wanted(site(tmp_path, mirrors=mirrors(rpm=rpm), bundle={"releasever": "22.03"}, bundled=False))
    assert needs.rpm[0].address == "http://up.example/22.03/$basearch"


def test_docker_s_own_repository_is_said_to_be_in_no_bundle(tmp_path: Path) -> None:
    docker = {"source": "docker", "repository": {"uri": "http://up.example", "key_sha256": SUM}}
    faults = wanted(site(tmp_path, docker=docker, bundled=False)).faults
    assert faults[0][0] == "docker.source"
    assert "write static" in faults[0][1]


def test_hosts_without_a_repository_are_warned_about(tmp_path: Path) -> None:
    needs = wanted(site(tmp_path, mirrors=mirrors(apt=[]), bundled=False))
    assert needs.notes[0].startswith("node1, node2: the site names no package repository for them")


def test_compressed_transfers_are_not_asked_for() -> None:
    assert session().headers["Accept-Encoding"] == "identity"


def test_archives_of_one_name_are_two_files_of_the_bundle(tmp_path: Path) -> None:
    def archive(place: str, sha256: str) -> dict[str, Any]:
        return {"url": f"http://up.example/{place}/image.tar", "sha256": sha256, "size": 5}

    images = [
        {"image": f"quay.io/lab/{place}:v1", "archive": archive(place, sha256), "hosts": "all"}
        for place, sha256 in (("a", SUM), ("b", "cd" * 32))
    ]
    found = {file.name: file.sha256 for file in wanted(site(tmp_path, images=images)).files}
    assert found["image.tar"] == SUM
    assert found["cdcdcdcdcdcd-image.tar"] == "cd" * 32
