"""Models as a site has them: what is rendered for them, what site.lock changes, which two cannot be together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from driver import catalog, render, resolve, vaults
from driver.certificate import make
from driver.errors import SiteError
from driver.resolved import ResolvedSite
from driver.vaults import Secrets

from .conftest import Data, Workshop, put

REVISION = "7638d55bac17746fead22b298ba7f51bf3eff0b3"
FILE = {"path": "config.json", "size": 7, "sha256": "a" * 64}
LOCKED = {
    "source": "modelscope",
    "repo": "provision-lab/tiny-qwen2",
    "requested": REVISION,
    "revision": "b" * 40,
    "files": [FILE],
}


def write_lock(folder: Path, **changed: Any) -> None:
    text = yaml.safe_dump({"models": {"lab-tiny-qwen2": {**LOCKED, **changed}}})
    (folder / "site.lock").write_text(text, encoding="utf-8")


def variables(site: ResolvedSite, host: str = "node2") -> Data:
    return dict(yaml.safe_load(render.documents(site)[Path(f"host_vars/{host}.yml")]))


def model_of(site: ResolvedSite) -> Data:
    return dict(variables(site)["model_store_models"][0])


def test_by_default_the_first_host_asks_the_source(workshop: Workshop) -> None:
    model = model_of(workshop.load())
    assert (model["fetch"], model["shared"], model["from"], model["files"]) == ("node1", False, "", [])


@pytest.mark.parametrize(
    ("given", "fetch"),
    [
        ({"models__0__fetch": "each"}, "each"),
        ({"models__0__fetch": "node2"}, "node2"),
        ({"models__0__fetch": "controller"}, "controller"),
        ({"moves": {"enabled": False}}, "each"),
        ({"moves": {"enabled": False}, "models__0__shared": True}, "node1"),
    ],
)
def test_who_asks_the_source(workshop: Workshop, given: Data, fetch: str) -> None:
    assert model_of(workshop.load(put(**given)))["fetch"] == fetch


def test_the_lock_pins_revision_files_and_size(workshop: Workshop) -> None:
    write_lock(workshop.folder)
    site = workshop.load()
    model = model_of(site)
    assert (model["revision"], model["size_bytes"]) == ("b" * 40, 7)
    assert model["files"] == [{**FILE, "git_sha1": ""}]
    assert json.loads(render.documents(site)[Path("wanted/node1.json")])["model_store"]["models"][0]["files"]


@pytest.mark.parametrize("changed", [{"source": "huggingface"}, {"repo": "other/x"}, {"requested": "main"}])
def test_a_lock_of_something_else_is_none(workshop: Workshop, changed: Data) -> None:
    write_lock(workshop.folder, **changed)
    site = workshop.load()
    assert (site.models[0].locked, site.models[0].revision) == (False, REVISION)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"files": [{**FILE, "path": "../x"}]},
            "models.lab-tiny-qwen2.files.0.path: found '../x'; expected a path inside",
        ),
        ({"files": [{**FILE, "path": "/x"}]}, "models.lab-tiny-qwen2.files.0.path: found '/x'; expected a path inside"),
        ({"files": [{**FILE, "sha256": "zz"}]}, "models.lab-tiny-qwen2.files.0.sha256"),
        ({"files": [{**FILE, "size": -1}]}, "models.lab-tiny-qwen2.files.0.size"),
    ],
)
def test_a_lock_of_wrong_form_is_refused(workshop: Workshop, changed: Data, said: str) -> None:
    write_lock(workshop.folder, **changed)
    faults = workshop.faults(lambda _: None)
    assert faults[0].startswith(f"{workshop.folder}/site.lock: {said}"), faults


def test_a_branch_that_is_locked_is_no_warning(workshop: Workshop, catalog_copy: Path) -> None:
    file = catalog_copy / "models/lab-tiny-qwen2.yml"
    file.write_text(file.read_text(encoding="utf-8").replace(REVISION, "master"), encoding="utf-8")
    folder = workshop.write()
    assert any("is a branch, or may be one" in line for line in resolve.load(folder, catalog=catalog_copy).warnings)
    write_lock(folder, requested="master")
    assert not any("is a branch" in line for line in resolve.load(folder, catalog=catalog_copy).warnings)


OTHERS = {
    "openmind": ({"repo": "a/b", "revision": "main"}, ("a/b", "main")),
    "git": ({"url": "https://example.org/a.git", "revision": "v1"}, ("https://example.org/a.git", "v1")),
    "obs": ({"bucket": "models", "prefix": "a/b/"}, ("models/a/b", "")),
    "http": ({"url": "https://example.org/a/"}, ("https://example.org/a", "")),
}


@pytest.mark.parametrize("source", OTHERS)
def test_every_source_of_the_catalog_says_its_place(workshop: Workshop, catalog_copy: Path, source: str) -> None:
    given, expected = OTHERS[source]
    file = catalog_copy / "models/lab-tiny-qwen2.yml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    data["sources"][source] = given
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    keys = {
        "enabled": True,
        "endpoint": "http://10.77.0.2:9000",
        "access_key": {"env": "A"},
        "secret_key": {"env": "B"},
    }
    folder = workshop.write(put(models__0__source=source, obsutil=keys))
    model = resolve.load(folder, catalog=catalog_copy).models[0]
    assert (model.repo, model.revision) == expected
    assert model.endpoint == ("http://10.77.0.2:9000" if source == "obs" else "")


def test_a_mirror_of_openmind_has_to_speak_tls(workshop: Workshop, catalog_copy: Path) -> None:
    file = catalog_copy / "models/lab-tiny-qwen2.yml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    data["sources"]["openmind"] = {"repo": "a/b", "revision": "main"}
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    folder = workshop.write(put(models__0__source="openmind", mirrors__hub={"openmind": "http://10.77.0.2:8080"}))
    said = "mirrors.hub.openmind: found http://10.77.0.2:8080; expected an https address: the client of openMind"
    with pytest.raises(SiteError, match=said):
        resolve.load(folder, catalog=catalog_copy)


def test_a_source_that_the_site_names_itself(workshop: Workshop) -> None:
    site = workshop.load(put(models__0__source="path", models__0__from="/mnt/weights/tiny/"))
    assert (model_of(site)["repo"], model_of(site)["from"]) == ("/mnt/weights/tiny", "/mnt/weights/tiny")
    near = workshop.load(put(models__0__source="path", models__0__from="weights", models__0__fetch="controller"))
    assert near.models[0].repo == str(workshop.folder / "weights")
    web = workshop.load(put(models__0__source="http", models__0__from="http://10.77.0.2/tiny/"))
    assert web.models[0].repo == "http://10.77.0.2/tiny"


def test_two_models_on_one_path_and_one_inside_of_the_other(workshop: Workshop) -> None:
    second = {"model": "qwen2.5-7b-instruct", "path": "/data/models/tiny-qwen2"}
    inside = {"model": "qwen2.5-7b-instruct", "path": "/data/models/tiny-qwen2/deep"}
    for placed, found in ((second, ", which models.0 has already"), (inside, ": one lies inside of the other")):
        faults = workshop.faults(lambda data, placed=placed: data["models"].append(placed))
        assert any(line.startswith(f"models.1.path: found {placed['path']}") and found in line for line in faults)


def test_tokens_are_looked_up_and_never_wanted(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = {"modelscope": {"env": "MY_TOKEN"}, "git": {"env": "NOT_THERE"}}
    site = workshop.load(put(tokens=tokens))
    found = variables(site)
    assert found["model_store_tokens"] == {
        "modelscope": "{{ lookup('ansible.builtin.env', 'PROVISION_SECRET_TOKENS_MODELSCOPE') }}"
    }
    wanted = json.loads(render.documents(site)[Path("wanted/node1.json")])["model_store"]
    assert sorted(wanted) == ["models", "moves", "obsutil"]
    monkeypatch.setenv("MY_TOKEN", "secret-word")
    secrets = Secrets(workshop.folder, site.secrets)
    names = secrets.environment(["model_store"])
    assert names["PROVISION_SECRET_TOKENS_MODELSCOPE"] == "secret-word"
    assert "PROVISION_SECRET_TOKENS_GIT" not in names, "a token of a source that no model has is not asked for"
    assert "secret-word" not in "".join(render.documents(site).values())


def test_the_secret_of_the_moves_is_of_one_run(workshop: Workshop) -> None:
    one, other = Secrets(workshop.folder), Secrets(workshop.folder)
    name = f"{vaults.PREFIX}MOVE"
    first = one.environment(["model_store"])[name]
    assert len(first) == 64
    assert one.environment(["container_image"])[name] == first
    assert other.environment(["model_store"])[name] != first
    assert name not in one.environment(["npu_driver"])
    assert first not in repr(one)


def test_encrypted_moves_have_a_certificate(workshop: Workshop) -> None:
    site = workshop.load(put(moves={"encrypt": True, "port": 7791, "rate_limit_mbit": 900}))
    found = variables(site)
    assert found["model_store_moves"]["rate_limit_mbit"] == 900
    assert found["model_store_move_key"].startswith("{{ lookup(")
    names = Secrets(workshop.folder, encrypt=True).environment(["model_store"])
    assert names["PROVISION_SECRET_MOVE_CERTIFICATE"].startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" in names["PROVISION_SECRET_MOVE_KEY"].splitlines()[0]
    assert make() != make()


def test_every_model_of_the_catalog_has_a_source() -> None:
    for name, model in catalog.load().models.items():
        assert model.sources.names, name
        assert all(model.sources.get(source) for source in model.sources.names)
        assert model.sources.get("torrent") is None
