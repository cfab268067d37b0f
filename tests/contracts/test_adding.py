"""Guards on docs/adding.md: its files are enough, its lists are whole."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from driver import paths, render, resolve

from .conftest import ROOT, read_yaml, role_folders

TEXT = (ROOT / "docs/adding.md").read_text(encoding="utf-8")
BLOCKS = {
    match.group(1): match.group(2)
    for match in re.finditer(r"^```yaml\n# (\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
}


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def listed(title: str) -> list[str]:
    """Return the files of the table in a section."""
    return re.findall(r"^\| `([^`]+)` \|", section(title), re.MULTILINE)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """The catalog with the files of the page added, and nothing else."""
    folder = Path(shutil.copytree(paths.CATALOG, tmp_path / "catalog"))
    for name, text in BLOCKS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return folder


def test_the_page_adds_one_file_each() -> None:
    assert [str(Path(name).parent) for name in BLOCKS] == ["catalog/accelerators", "catalog/releases"]
    assert not any((ROOT / name).exists() for name in BLOCKS)


@pytest.mark.parametrize(
    ("arch", "file"),
    [
        ("x86_64", "Atlas-A5-hdk-npu-driver_26.1.0_linux-x86-64.run"),
        ("aarch64", "Atlas-A5-hdk-npu_26.1.0_linux-aarch64.zip"),
    ],
)
def test_one_file_each_is_enough_for_a_site(arch: str, file: str, catalog: Path, tmp_path: Path) -> None:
    site = read_yaml(paths.INVENTORIES / "lab/site.yml")
    release = yaml.safe_load(BLOCKS["catalog/releases/hdk-example.yml"])
    packages = [release["docker_runtime"], *release["families"]["a5"].values()]
    files = [entry["file"] for package in packages if isinstance(package, dict) for entry in package["files"].values()]
    cards = {"type": "ascend-950", "product": "950PR", "count": 8}
    site |= {"release": "hdk-example", "checksums": {name: f"{number:064x}" for number, name in enumerate(files, 1)}}
    site |= {"hosts": [{"name": "new", "address": "192.0.2.1", "arch": arch, "accelerator": cards}]}
    del site["services"], site["models"]
    (tmp_path / "site.yml").write_text(yaml.safe_dump(site), encoding="utf-8")
    resolved = resolve.load(tmp_path, catalog=catalog)
    variables = yaml.safe_load(render.documents(resolved)[Path("host_vars/new.yml")])
    assert variables["npu_driver_package"]["file"] == file
    assert variables["npu_driver_pci_ids"] == ["19e5:d806"]
    assert variables["npu_driver_control_nodes"][-1] == "/dev/ummu"
    assert variables["npu_driver_boards"] == {"19e5:3000": "Atlas 950 server"}


def test_the_kept_renderings_do_not_depend_on_what_is_added(catalog: Path) -> None:
    for name in ("lab", "prod"):
        assert render.documents(resolve.load(name, catalog=catalog)) == render.documents(resolve.load(name))


def test_a_system_costs_one_file_in_each_role_that_differs() -> None:
    files = listed("A system")
    assert files == sorted(files, key=lambda name: name.split("/")[1] != "host_baseline")
    name = Path(files[0]).name
    assert {f"roles/{role.name}/vars/{name}" for role in role_folders() if (role / "vars" / name).is_file()} == {*files}


def test_a_role_costs_a_folder_and_the_places_that_are_listed() -> None:
    folder, *places = listed("A role")
    role = Path(folder).name
    assert (ROOT / folder / "tasks/main.yml").is_file()
    count = re.search(r"a line or a file in each of (\d+) places", TEXT)
    assert count is not None
    assert int(count.group(1)) == len(places)
    for place in places:
        assert re.search(rf"\b{role}\b|_{role}\b", (ROOT / place).read_text(encoding="utf-8") + place), place


def test_every_role_stands_in_the_places_that_are_listed() -> None:
    """The lines of the example are those of every role."""
    wiring = ("driver/resolved.py", "templates/inventory/host_vars.yml.j2", "playbooks/site.yml")
    for place in wiring:
        assert place in listed("A role")
        text = (ROOT / place).read_text(encoding="utf-8")
        assert [role.name for role in role_folders() if role.name not in text] == []
