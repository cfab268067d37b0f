"""The catalog: what is shipped is valid, what is not valid is refused by file and place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from driver import catalog, engine, paths
from driver.errors import SiteError
from driver.versions import key


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(paths.CATALOG, tmp_path / "catalog"))


def test_shipped_catalog_is_whole() -> None:
    known = catalog.load()
    for entry in known.engines.values():
        assert set(entry.accelerators) <= set(known.accelerators)
        for version in entry.versions.values():
            assert sum(start.holds(version.engine) for start in entry.ray.start) == 1
    for model in known.models.values():
        assert set(model.arguments) <= set(known.engines)
        assert model.architecture.attention_heads % model.architecture.kv_heads == 0


def test_every_release_that_needs_no_trust_has_checksums() -> None:
    lab = catalog.load().releases["lab"]
    files = [
        file
        for family in lab.families.values()
        for package in (family.driver, family.firmware)
        for file in package.files.values()
    ]
    assert all(file.sha256 for file in [*files, *lab.docker_runtime.files.values()])


def test_fault_names_file_and_place(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    file = folder / "accelerators/ascend-910b.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("pci_ids:", "pci_id:"), encoding="utf-8")
    with pytest.raises(SiteError) as caught:
        catalog.load(folder)
    (line,) = caught.value.lines
    assert line.startswith(f"{file}: pci_id: found unknown key pci_id; expected one of")
    assert line.endswith("did you mean pci_ids?")


def test_every_broken_file_is_reported(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "models/one.yml").write_text("a: [", encoding="utf-8")
    (folder / "models/two.yml").write_text("", encoding="utf-8")
    with pytest.raises(SiteError) as caught:
        catalog.load(folder)
    assert [line.split(": ")[0].rsplit("/", 1)[1] for line in caught.value.lines] == ["one.yml", "two.yml"]


def test_file_and_entry_have_one_name(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "releases/lab.yml").rename(folder / "releases/other.yml")
    with pytest.raises(SiteError, match=r"other\.yml: name: found lab; expected other"):
        catalog.load(folder)


def test_empty_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="found no file; expected at least one"):
        catalog.load(tmp_path)


def test_template_in_the_catalog_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    file = folder / "models/lab-tiny-qwen2.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("title: tiny-qwen2", 'title: "{{ x }}"'), encoding="utf-8")
    with pytest.raises(SiteError, match="title: found a Jinja expression"):
        catalog.load(folder)


def test_versions_rise() -> None:
    versions = list(catalog.load().engines["vllm"].versions)
    assert versions == sorted(versions, key=key)


def test_suffix_and_variant_make_the_tag() -> None:
    profile = catalog.load().accelerators["ascend-910b"]
    assert engine.image_tag("v1", profile, None) == "v1"
    assert engine.image_tag("v1", profile.model_copy(update={"image_suffix": "-a3"}), "openeuler") == "v1-a3-openeuler"
