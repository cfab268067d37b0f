"""Models and Python packages: from their real sources into a bundle, and out of its server again, by real clients."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from driver.bundle import images, wheels
from driver.bundle.contents import Manifest, write
from driver.bundle.fetch import session
from driver.bundle.images import Access
from driver.bundle.models import Fetcher
from driver.bundle.server import make_server
from driver.bundle.store import Store
from driver.bundle.survey import has_model
from driver.errors import TaskFailed
from driver.models import asking
from driver.models.parts import Place
from driver.resolved import ResolvedModel
from driver.site_models import LockedFile
from tests.lab.serving import hub
from tests.unit.driver.bundle.test_images import plain, wanted
from tests.unit.driver.bundle.web import running
from tests.unit.images import servers
from tests.unit.images.parts import Image

FILES = {"config.json": b"{}\n", "model.safetensors": bytes(range(256)) * 50_000, "a/b.txt": b"text\n"}
REPO = "org/small"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in a folder as a hub has it; the clients' own things go elsewhere than to this account's home."""
    monkeypatch.setenv("PROVISION_CACHE", str(tmp_path / "cache"))
    for path, data in FILES.items():
        (tmp_path / "hub" / REPO / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "hub" / REPO / path).write_bytes(data)
    return tmp_path / "hub" / REPO


def resolved(source: str, repo: str, endpoint: str = "", files: tuple[LockedFile, ...] = ()) -> ResolvedModel:
    revision = "" if source in ("path", "http") else "master"
    return ResolvedModel(
        name="small",
        path="/data/small",
        source=source,  # type: ignore[arg-type]
        repo=repo,
        revision=revision,
        endpoint=endpoint,
        size_bytes=1,
        fetch="node1",
        shared=False,
        files=files,
        hosts=("node1",),
        requested=revision,
        locked=bool(files),
    )


@pytest.mark.parametrize("source", ["modelscope", "huggingface"])
def test_a_hub_s_model_goes_into_the_bundle_and_comes_out_again(model: Path, store: Store, source: str) -> None:
    fetcher = Fetcher(store, None)
    with running(hub.make_server(model.parents[1], "127.0.0.1", 0)) as url:
        one = resolved(source, REPO, url)
        found = fetcher.listing(one)
        made = fetcher.bring(one, found, lambda _: None)
    assert {entry.path: store.read(entry.sha256) for entry in made.files} == FILES
    assert len(made.revision) == 40
    assert fetcher.absent(found) == ()
    assert has_model(one, made, store)
    assert not has_model(one.model_copy(update={"revision": "v2"}), made, store)
    write(store.root, Manifest(models=(made,)))
    with running(make_server(store.root, "127.0.0.1", 0)) as url:
        for revision in ("master", made.revision):
            again = asking.listing(Place(source, REPO, revision, url, str(model.parents[1] / "clients")))
            assert again.revision == made.revision
            assert {file.path: file.sha256 for file in again.files} == {one.path: one.sha256 for one in made.files}


def test_an_unlocked_model_of_a_web_folder_goes_through_the_server_unchanged(model: Path, store: Store) -> None:
    local = Fetcher(store, None)
    one = resolved("path", str(model))
    write(store.root, Manifest(models=(local.bring(one, local.listing(one), lambda _: None),)))
    other = Store(store.root.with_name("other"))
    other.root.mkdir()
    with running(make_server(store.root, "127.0.0.1", 0)) as url:
        remote = Fetcher(other, None)
        two = resolved("http", f"{url}/models/small")
        made = remote.bring(two, remote.listing(two), lambda _: None)
    assert {entry.path: other.read(entry.sha256) for entry in made.files} == FILES


def test_a_folder_is_taken_by_links(model: Path, store: Store) -> None:
    fetcher = Fetcher(store, None)
    one = resolved("path", str(model))
    made = fetcher.bring(one, fetcher.listing(one), lambda _: None)
    for entry in made.files:
        assert store.path(entry.sha256).stat().st_ino == (model / entry.path).stat().st_ino


def test_files_that_are_not_those_of_the_lock_are_refused(model: Path, store: Store) -> None:
    fetcher = Fetcher(store, None)
    locked = (LockedFile(path="config.json", size=3, sha256="0" * 64),)
    one = resolved("path", str(model), files=locked)
    with pytest.raises(TaskFailed, match=r"config\.json: found sha256 \w+; expected 0{64}"):
        fetcher.bring(one, fetcher.listing(one), lambda _: None)


def test_a_source_that_is_not_there_is_said(store: Store, model: Path) -> None:
    with pytest.raises(TaskFailed, match=rf"path {model.parent}/absent: .* is no folder of this machine"):
        Fetcher(store, None).listing(resolved("path", f"{model.parent}/absent"))


def wheel(folder: Path, name: str, version: str) -> None:
    """Write the smallest wheel that pip takes for one."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as made:
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{info}/RECORD", "")


def test_pip_brings_exactly_the_pinned_packages(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is pointed at a folder; what it brought is served, and pip takes it from there again."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        wheel(folder, "small_thing", version)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    files = wheels.bring(store, ["small-thing==1.0"])
    assert [file.name for file in files] == ["small_thing-1.0-py3-none-any.whl"]
    manifest = Manifest(files=tuple(files))
    assert wheels.missing(manifest, store, ["small.thing==1.0", "small-thing==2.0"]) == ["small-thing==2.0"]
    write(store.root, manifest)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    with running(make_server(store.root, "127.0.0.1", 0)) as url:
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
        again = Store(tmp_path / "again")
        assert wheels.bring(again, ["small-thing==1.0"])[0].sha256 == files[0].sha256
    with pytest.raises(TaskFailed, match=r"(?s)pip download: .*look whether pip of this machine reaches its index"):
        wheels.bring(again, ["small-thing==3.0"])


def test_a_registry_that_gives_tokens(store: Store, tmp_path: Path) -> None:
    image = Image()
    with servers.registry(tmp_path) as address:
        servers.push(address, "org/engine", [image], "v1")
    with servers.guarded_by_tokens(tmp_path) as address:
        login = (servers.USER, servers.PASSWORD)
        one = wanted(address)
        made = images.pull(store, one, images.look(one, plain(address, login)), session(), lambda _: None)
        assert made.digest == image.digest
        with pytest.raises(TaskFailed, match=r"expected a token; correct user and password of .* \(registries in site"):
            images.look(one, plain(address, (servers.USER, "wrong")))


def test_logins_do_not_show() -> None:
    access = Access(frozenset(), {"quay.io": ("me", "a-long-word")})
    assert "a-long-word" not in repr(access)
