"""The catalog: what is shipped is valid, what is not valid is refused by file and place."""

from __future__ import annotations

import re
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


def test_a_device_id_tells_one_generation() -> None:
    ids = [identity for profile in catalog.load().accelerators.values() for identity in profile.pci_ids]
    assert sorted(set(ids)) == sorted(ids)


# What `npu-smi info` shows in its Name column, by accelerator.
NAMES = {
    "ascend-910": ["910A", "910B", "910ProB", "Ascend910", "Ascend 910A"],
    "ascend-910b": ["910B1", "910B4", "Ascend 910B2"],
    "ascend-a3": ["Ascend910", "Ascend 910", "910_9391"],
    "ascend-310p": ["310P3", "Ascend 310P3"],
    "ascend-310b": ["310B1", "310B4"],
}


@pytest.mark.parametrize("name", NAMES)
def test_every_accelerator_knows_its_chips_by_name(name: str) -> None:
    profile = catalog.load().accelerators[name]
    assert all(re.search(profile.smi_name_pattern, shown) for shown in NAMES[name])
    assert profile.boards
    for product in profile.products:
        assert profile.chips_per_server_max % profile.chips_of(product) == 0


def test_nodes_that_a_board_may_lack_are_not_demanded() -> None:
    # the vendor's runtime only warns about the decoders' and encoders' nodes of these boards
    assert catalog.load().accelerators["ascend-310b"].device_nodes.control == ("/dev/davinci_manager",)


def test_chips_of_another_generation_are_told_apart_where_names_allow() -> None:
    known = catalog.load().accelerators
    assert not re.search(known["ascend-910"].smi_name_pattern, "910B2")
    assert not re.search(known["ascend-a3"].smi_name_pattern, "910B2")
    assert not re.search(known["ascend-310b"].smi_name_pattern, "310P3")


# The vendor's prefixes, which are each other's beginnings: 910b before 910, and A3 has another one.
PREFIXES = {"910": "Ascend-hdk-910-", "910b": "Ascend-hdk-910b-", "a3": "Atlas-A3-hdk-", "310p": "Ascend-hdk-310p-"}


def test_every_family_has_files_of_its_own_prefix() -> None:
    for release in catalog.load().releases.values():
        for name, family in release.families.items():
            prefix = PREFIXES.get(name, f"Ascend-hdk-{name}-")
            files = [entry.file for package in (family.driver, family.firmware) for entry in package.files.values()]
            assert [file for file in files if not file.startswith(prefix)] == [], release.name


def test_files_of_two_architectures_have_two_names() -> None:
    for release in catalog.load().releases.values():
        optional = [package for package in (release.obsutil, release.docker.static) if package]
        drivers = [family.driver for family in release.families.values()]
        for package in [release.docker_runtime, *optional, *drivers]:
            names = [entry.file for entry in package.files.values()]
            assert len(set(names)) == len(names), release.name
