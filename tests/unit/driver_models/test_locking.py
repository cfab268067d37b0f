"""`provision lock`, and what plan and up lock by themselves: asked of real servers, written into site.lock, obeyed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from driver import cli, paths, resolve
from driver import fleet as fleets
from driver.errors import SiteError
from driver.images import lock as images
from driver.models import locking, unlocked
from driver.models.asking import Limits
from tests.lab.serving import gitlfs

from .conftest import REPO, SMALL, Servers, content, write_model

IMAGES = {"quay.io/ascend/vllm-ascend:v0.23.0": f"sha256:{'0' * 64}"}


class Site:
    """A site of one model, and a catalog in which that model is on the servers of the test."""

    def __init__(self, servers: Servers, catalog: Path) -> None:
        self.servers, self.catalog, self.folder = servers, catalog, servers.root / "site"
        self.folder.mkdir()
        self.lock = self.folder / "site.lock"
        self.lock.write_text(yaml.safe_dump({"images": IMAGES}), encoding="utf-8")

    def write(self, source: str, **more: Any) -> Site:
        """Write the site with its model from *source*."""
        data = yaml.safe_load((paths.INVENTORIES / "lab/site.yml").read_text(encoding="utf-8"))
        place = self.servers.places[source]
        data["models"], data["images"] = [data["models"][0] | {"source": source}], []
        data["mirrors"]["hub"] = {source: place.endpoint} if source in ("modelscope", "huggingface", "openmind") else {}
        if source == "obs":
            keys = {"access_key": {"env": "TEST_ACCESS"}, "secret_key": {"env": "TEST_SECRET"}}
            data["obsutil"] = {"enabled": True, "endpoint": place.endpoint, **keys}
        if source == "path":
            data["models"][0] |= {"from": place.repo}
        data["models"][0] |= more.pop("model", {})
        (self.folder / "site.yml").write_text(yaml.safe_dump({**data, **more}), encoding="utf-8")
        self._place(source)
        return self

    def _place(self, source: str) -> None:
        file = self.catalog / "models/lab-tiny-qwen2.yml"
        entry = yaml.safe_load(file.read_text(encoding="utf-8"))
        place = self.servers.places[source]
        bucket, _, prefix = place.repo.partition("/")
        entry["sources"] = {
            "obs": {"obs": {"bucket": bucket, "prefix": prefix}},
            "git": {"git": {"url": place.repo, "revision": "main"}},
            "http": {"http": {"url": place.repo}},
            "path": {"modelscope": {"repo": REPO, "revision": "master"}},
        }.get(source, {source: {"repo": REPO, "revision": place.revision}})
        file.write_text(yaml.safe_dump(entry), encoding="utf-8")

    def locked(self) -> dict[str, Any]:
        """Return what site.lock has of the model."""
        return dict(yaml.safe_load(self.lock.read_text(encoding="utf-8"))["models"]["lab-tiny-qwen2"])


@pytest.fixture
def site(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    catalog = Path(shutil.copytree(paths.CATALOG, tmp_path / "catalog"))
    load = resolve.load
    monkeypatch.setattr(resolve, "load", lambda name: load(name, catalog=catalog))
    monkeypatch.setattr(images, "lock", lambda *_, **__: [])
    monkeypatch.setenv("TEST_ACCESS", "access")
    monkeypatch.setenv("TEST_SECRET", "secret")
    monkeypatch.setenv("PROVISION_RUNS", str(tmp_path / "runs"))
    return Site(servers, catalog)


@pytest.mark.parametrize("source", ["modelscope", "huggingface", "openmind", "obs", "git", "http"])
def test_locked_with_commit_files_and_checksums(site: Site, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    site.write(source)
    assert cli.main(["lock", "-i", str(site.folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (outcome,) = document["models"]
    assert (outcome["state"], outcome["fault"]) == ("locked", "")
    found = site.locked()
    assert found["revision"] == outcome["revision"]
    assert len(found["revision"]) == (64 if source in ("obs", "http") else 40)
    names = {file["path"] for file in found["files"]} - {".gitattributes"}
    assert names == set(content(site.servers.model)) - ({"manifest.json"} if source in ("obs", "http") else set())
    assert all(len(file["sha256"]) == 64 for file in found["files"])
    assert yaml.safe_load(site.lock.read_text(encoding="utf-8"))["images"] == IMAGES
    model = resolve.load(site.folder).models[0]
    assert (model.locked, model.revision) == (True, found["revision"])
    assert model.size_bytes == sum(file["size"] for file in found["files"]) == outcome["bytes"]


def test_later_runs_obey_the_lock_and_update_renews_it(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.write("git")
    assert cli.main(["lock", "-i", str(site.folder)]) == 0
    first = site.locked()
    write_model(site.servers.model, b"x")
    gitlfs.add(site.servers.root / "git", "small", site.servers.model)
    assert cli.main(["lock", "-i", str(site.folder)]) == 0
    assert site.locked() == first
    assert "lab-tiny-qwen2: kept: git " in capsys.readouterr().out
    assert cli.main(["lock", "-i", str(site.folder), "--update"]) == 0
    second = site.locked()
    assert second["revision"] != first["revision"]
    said = capsys.readouterr().out
    assert f"lab-tiny-qwen2: renewed: git {site.servers.places['git'].repo} at main is {second['revision']}, " in said
    assert f"before {first['revision']}" in said
    same = [file for file in first["files"] if file in second["files"]]
    assert SMALL in {file["path"] for file in same}, "what did not change has the same checksum: it is not moved again"


def test_a_source_that_fails_leaves_the_lock_as_it_was(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.write("huggingface")
    assert cli.main(["lock", "-i", str(site.folder)]) == 0
    before = site.lock.read_bytes()
    site.servers.faults["huggingface"].set(status=500)
    assert cli.main(["lock", "-i", str(site.folder), "--update"]) == 5
    assert "Error: lab-tiny-qwen2: failed: huggingface lab/small at main: " in capsys.readouterr().err
    assert site.lock.read_bytes() == before


def test_a_folder_of_a_host_is_left_to_it(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.write("path")
    assert cli.main(["lock", "-i", str(site.folder)]) == 0
    assert "lab-tiny-qwen2: left to its host: path " in capsys.readouterr().out
    site.write("path", model={"fetch": "controller"})
    assert cli.main(["lock", "-i", str(site.folder)]) == 0
    assert len(site.locked()["files"]) == 4


def test_a_lock_that_cannot_be_written_is_a_fault_of_the_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("http")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(
        SiteError, match=r"site\.lock: cannot be written \(Permission denied\); expected a file of yours"
    ):
        locking.put(site.lock, {"models": {}})


def test_a_run_locks_what_is_missing_and_says_so(site: Site) -> None:
    site.write("modelscope")
    said: list[str] = []
    fleet = fleets.locked(str(site.folder), said.append)
    assert fleet.unlocked == ()
    assert [line.split(" at ")[0] for line in said] == [f"site.lock: lab-tiny-qwen2: locked: modelscope {REPO}"]
    wanted = fleet.hosts[0].wanted["model_store"]["models"][0]
    assert wanted["revision"] == site.locked()["revision"]
    assert [file["path"] for file in wanted["files"]] == [file["path"] for file in site.locked()["files"]]
    assert fleets.locked(str(site.folder), said.append).unlocked == ()
    assert len(said) == 1, "once is enough"


def test_a_run_goes_on_without_the_source_and_does_not_ask_it_all_the_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("modelscope")
    site.servers.faults["modelscope"].set(status=401)
    said: list[str] = []
    assert fleets.locked(str(site.folder), said.append).unlocked == ("lab-tiny-qwen2",)
    assert said[0].startswith(f"warning: lab-tiny-qwen2: failed: modelscope {REPO} at master: ")
    assert said[0].endswith("its files are not known before the host that fetches has listed them")
    asked: list[object] = []
    monkeypatch.setattr(locking, "lock", lambda *given, **_: asked.append(given))
    fleets.locked(str(site.folder), said.append)
    assert (asked, said[1]) == ([], said[0])


def test_a_token_that_is_missing_stops_no_plan(site: Site) -> None:
    site.write("modelscope", tokens={"modelscope": {"env": "TEST_NOT_SET"}})
    said: list[str] = []
    assert unlocked.complete(str(site.folder), ("lab-tiny-qwen2",), said.append) is False
    assert said[0].startswith("warning: no model was locked: ")
    assert "tokens.modelscope: found no environment variable TEST_NOT_SET; expected the secret in it" in said[0]


def test_the_token_reaches_the_source_and_nothing_else(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "token-word-7")
    site.write("huggingface", tokens={"huggingface": {"env": "TEST_TOKEN"}})
    site.servers.faults["huggingface"].set(token="token-word-7")
    (outcome,) = locking.lock(resolve.load(site.folder), limits=Limits())
    assert outcome.fault == ""
    kept = [path for path in site.servers.root.rglob("*") if path.is_file() and b"token-word-7" in path.read_bytes()]
    assert kept == []
