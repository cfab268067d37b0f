"""What is there to be moved: a model of many shards and an archive of a large image, the same bytes everywhere."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from driver import paths
from plugins.module_utils.converge import image_archive
from plugins.module_utils.state import models
from tests.lab.serving import archive, many

SMALL = archive.Recipe(layers=2, files=2, pieces=1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the model have three small shards."""
    monkeypatch.setattr(many, "SHARDS", 3)
    monkeypatch.setattr(many, "ROWS", 8)


@pytest.mark.usefixtures("few")
def test_the_model_of_many_shards_is_whole_and_kept(tmp_path: Path) -> None:
    folder = many.build(tmp_path / "hub", tmp_path / "cache" / "stamp")
    assert folder == tmp_path / "hub" / many.REPO
    seen = models.observe(str(folder))
    assert (seen["complete"], seen["bad"]) == (True, [])
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert sorted(set(index["weight_map"].values())) == [many.shard_name(number) for number in (1, 2, 3)]
    before = (folder / many.shard_name(1)).stat().st_mtime_ns
    many.build(tmp_path / "hub", tmp_path / "cache" / "stamp")
    assert (folder / many.shard_name(1)).stat().st_mtime_ns == before


@pytest.mark.usefixtures("few")
def test_two_machines_make_the_same_model_and_no_two_shards_are_equal(tmp_path: Path) -> None:
    sums = []
    for name in ("one", "two"):
        folder = many.build(tmp_path / name, tmp_path / f"{name}.stamp")
        sums.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.glob("*.safetensors"))])
    assert sums[0] == sums[1]
    assert len(set(sums[0])) == 3


def test_the_catalog_says_how_large_the_model_is() -> None:
    model = yaml.safe_load((paths.CATALOG / "models/lab-wide-qwen2.yml").read_text(encoding="utf-8"))
    weights = many.SHARDS * many.ROWS * many.COLUMNS * 2
    assert weights < model["size_bytes"] < weights * 1.01
    assert model["architecture"]["parameters"] == pytest.approx(weights / 2, rel=0.001)
    assert {source["repo"] for source in model["sources"].values() if "repo" in source} == {many.REPO}


def test_the_archive_is_one_that_engines_and_our_role_read(tmp_path: Path) -> None:
    size, sha256 = archive.build(tmp_path / "large.tar", SMALL)
    content = (tmp_path / "large.tar").read_bytes()
    assert (size, sha256) == (len(content), hashlib.sha256(content).hexdigest())
    (entry,) = image_archive.read(str(tmp_path / "large.tar"), "amd64").entries
    assert (entry.seen.architecture, entry.seen.tags) == ("amd64", [archive.NAME])
    with tarfile.open(tmp_path / "large.tar") as opened:
        text = opened.extractfile(entry.config)
        assert text is not None
        config: dict[str, Any] = json.loads(text.read())
        sums = [hashlib.sha256(member.read()).hexdigest() for member in map(opened.extractfile, entry.layers) if member]
    assert (
        entry.config
        == f"{hashlib.sha256(json.dumps(config, separators=(',', ':'), sort_keys=True).encode()).hexdigest()}.json"
    )
    assert config["rootfs"]["diff_ids"] == [f"sha256:{one}" for one in sums]


def test_the_archive_is_kept_and_made_again_when_it_is_another_one(tmp_path: Path) -> None:
    target = tmp_path / "large.tar"
    first = archive.build(target, SMALL)
    stamp = target.stat().st_mtime_ns
    assert archive.build(target, SMALL) == first
    assert target.stat().st_mtime_ns == stamp
    target.write_bytes(target.read_bytes()[:-1])
    assert archive.build(target, SMALL) == first
    assert target.stat().st_mtime_ns != stamp


def test_the_site_of_the_lab_expects_three_gigabytes_in_this_archive() -> None:
    site = yaml.safe_load((paths.INVENTORIES / "lab/site.yml").read_text(encoding="utf-8"))
    (image,) = site["images"]
    recipe = archive.Recipe()
    assert image["image"] == archive.NAME
    assert image["archive"]["url"].endswith(f"/{archive.FILE}")
    assert 3_000_000_000 <= recipe.layers * recipe.layer_bytes < image["archive"]["size"]
