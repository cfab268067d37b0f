"""`provision lock`, and what plan and up lock by themselves: asked of real servers, written into site.lock, obeyed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from driver import cli, paths, resolve, sitefile
from driver import fleet as fleets
from driver.errors import SiteError
from driver.images import lock as images
from driver.models import asking, locking, unlocked
from driver.models.asking import Limits
from tests.lab.serving import gitlfs

from .conftest import REPO, SMALL, Servers, content, write_model

MODEL = "lab-tiny-qwen2"
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
    assert said[0] == f"site.lock: asking the sources of {MODEL}, for 60 s at most"
    assert [line.split(" at ")[0] for line in said[1:]] == [f"site.lock: {MODEL}: locked: modelscope {REPO}"]
    wanted = fleet.hosts[0].wanted["model_store"]["models"][0]
    assert wanted["revision"] == site.locked()["revision"]
    assert [file["path"] for file in wanted["files"]] == [file["path"] for file in site.locked()["files"]]
    assert fleets.locked(str(site.folder), said.append).unlocked == ()
    assert len(said) == 2, "once is enough"


def test_a_run_goes_on_without_the_source_and_does_not_ask_it_all_the_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("modelscope")
    site.servers.faults["modelscope"].set(status=401)
    said: list[str] = []
    assert fleets.locked(str(site.folder), said.append).unlocked == ("lab-tiny-qwen2",)
    assert said[1].startswith(f"warning: lab-tiny-qwen2: failed: modelscope {REPO} at master: ")
    assert said[1].endswith(unlocked.ADVICE)
    asked: list[object] = []
    monkeypatch.setattr(locking, "lock", lambda *given, **_: asked.append(given))
    fleets.locked(str(site.folder), said.append)
    assert (asked, said[2:]) == ([], [said[1]])


def test_a_token_that_is_missing_stops_no_plan(site: Site) -> None:
    site.write("modelscope", tokens={"modelscope": {"env": "TEST_NOT_SET"}})
    said: list[str] = []
    assert unlocked.complete(str(site.folder), ("lab-tiny-qwen2",), said.append) is False
    assert said[-1].startswith("warning: no model was locked: ")
    assert "tokens.modelscope: found no environment variable TEST_NOT_SET; expected the secret in it" in said[-1]


def test_the_token_reaches_the_source_and_nothing_else(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "token-word-7")
    site.write("huggingface", tokens={"huggingface": {"env": "TEST_TOKEN"}})
    site.servers.faults["huggingface"].set(token="token-word-7")
    (outcome,) = locking.lock(resolve.load(site.folder), limits=Limits())
    assert outcome.fault == ""
    kept = [path for path in site.servers.root.rglob("*") if path.is_file() and b"token-word-7" in path.read_bytes()]
    assert kept == []


def test_a_commit_that_is_locked_without_its_files_stays(site: Site) -> None:
    site.write("git")
    assert cli.main(["lock", "-i", str(site.folder)]) == 0
    pinned = site.locked()
    site.lock.write_text(yaml.safe_dump({"models": {MODEL: {**pinned, "files": []}}}), encoding="utf-8")
    write_model(site.servers.model, b"x")
    gitlfs.add(site.servers.root / "git", "small", site.servers.model)
    said: list[str] = []
    assert fleets.locked(str(site.folder), said.append).unlocked == ()
    assert site.locked() == pinned
    assert said[-1].startswith(f"site.lock: {MODEL}: locked: git ")


def test_what_others_wrote_into_the_lock_stays(site: Site) -> None:
    site.lock.write_text(
        f"# approved in June\nimages: {json.dumps(IMAGES)}\n# keep this\nmodels: {{}}\n# end", encoding="utf-8"
    )
    for number in (1, 2):
        locking.put(site.lock, {"image_ids": {f"a{number}:b": {"arm64": f"sha256:{'1' * 64}"}}})
    text = site.lock.read_text(encoding="utf-8")
    assert text.startswith(f"{locking.HEADER}# approved in June\n# keep this\n# end\nimage_ids:\n")
    assert text.count("#") == 4
    known = yaml.safe_load(text)
    assert (known["images"], sorted(known["image_ids"])) == (IMAGES, ["a1:b", "a2:b"])


PUT = """
import sys
from pathlib import Path
from driver.models import locking
for number in range(8):
    locking.put(Path(sys.argv[1]), {"image_ids": {f"{sys.argv[2]}{number}:x": {"arm64": "sha256:" + "1" * 64}}})
"""


def test_two_runs_that_write_the_lock_lose_nothing(site: Site) -> None:
    words = [sys.executable, "-c", PUT, str(site.lock)]
    runs = [subprocess.Popen([*words, name], cwd=paths.ROOT) for name in "abc"]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    assert len(yaml.safe_load(site.lock.read_text(encoding="utf-8"))["image_ids"]) == 24
    assert {path.name for path in site.folder.iterdir()} == {"site.lock"}


def entry_of(files: list[dict[str, Any]]) -> dict[str, Any]:
    plain = {"source": "http", "repo": "http://x", "requested": "", "revision": "r", "files": files}
    return {"models": {MODEL: plain}}


def test_a_lock_of_many_files_can_be_read_again(site: Site) -> None:
    name = "a folder with a long name/" * 40
    files = [{"path": f"{name}{number}", "size": 1, "sha256": f"{number:064x}"} for number in range(1200)]
    locking.put(site.lock, entry_of(files))
    assert site.lock.stat().st_size > 1 << 20
    lock, faults = sitefile.read_lock(site.folder)
    assert (len(lock.models[MODEL].files), faults) == (1200, [])


@pytest.mark.parametrize("name", ["a\x07b", "a{{b", "../a"])
def test_what_could_not_be_read_again_is_not_written(site: Site, name: str) -> None:
    before = site.lock.read_bytes()
    with pytest.raises(SiteError, match=r"/site\.lock: models\.lab-tiny-qwen2\.files\.0\.path: "):
        locking.put(site.lock, entry_of([{"path": name, "size": 1, "sha256": "0" * 64}]))
    assert site.lock.read_bytes() == before
    assert {path.name for path in site.folder.iterdir()} == {"site.lock"}


def test_a_corrected_site_is_asked_for_at_once(site: Site) -> None:
    site.write("modelscope")
    site.servers.faults["modelscope"].set(status=401)
    said: list[str] = []
    fleets.locked(str(site.folder), said.append)
    site.servers.faults["modelscope"].clear()
    site.write("git")
    assert fleets.locked(str(site.folder), said.append).unlocked == ()
    assert said[-1].startswith(f"site.lock: {MODEL}: locked: git ")


def test_a_cache_that_cannot_be_made_stops_no_plan(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("modelscope")
    (site.servers.root / "plain").write_text("a file\n", encoding="ascii")
    monkeypatch.setenv("PROVISION_CACHE", str(site.servers.root / "plain/cache"))
    said: list[str] = []
    assert fleets.locked(str(site.folder), said.append).unlocked == (MODEL,)
    assert "plain/cache/clients: Not a directory; expected room for the model" in said[-1]
    assert "set PROVISION_CACHE to another folder" in said[-1]


def test_modules_in_the_cache_are_not_run(site: Site) -> None:
    place = site.servers.places["http"]
    Path(place.cache).mkdir(parents=True)
    (Path(place.cache) / "requests.py").write_text("raise SystemExit(7)\n", encoding="ascii")
    assert asking.listing(place).files


STOPPED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # children of background jobs ignore it
from driver.models import asking, locking
asking.LOOK_SECONDS = 0.05
site = type("Site", (), {})()
place = asking.Place("http", sys.argv[1], "", "", sys.argv[2])
model = type("Model", (), {"name": "m", "listable": True, "files": (), "locked": False, "requested": ""})()
site.models, site.folder, site.secrets, site.vault = [model], None, {}, None
locking.place = lambda *_: place
print("asking", flush=True)
locking.lock(site)
"""


def test_an_interrupted_lock_ends_at_once(site: Site) -> None:
    place = site.servers.places["http"]
    site.servers.faults["http"].set(silent_seconds=60)
    words = [sys.executable, "-c", STOPPED, place.repo, place.cache]
    with subprocess.Popen(words, cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline() == "asking\n"
        children = Path(f"/proc/{run.pid}/task")
        limit = time.monotonic() + 20
        while not any(path.read_text(encoding="ascii").strip() for path in children.glob("*/children")):
            assert time.monotonic() < limit
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        try:
            _, said = run.communicate(timeout=10)
        finally:
            run.kill()
    assert said.rstrip().endswith("KeyboardInterrupt")
