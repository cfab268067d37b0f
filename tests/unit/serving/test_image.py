"""Layers, configuration and manifest of an image: deterministic, owned by root, and what a registry accepts."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.lab.serving.image import EPOCH, LayerWriter, manifest, write_config


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "package/tests").mkdir(parents=True)
    (root / "package/module.py").write_text("VALUE = 1\n", encoding="ascii")
    (root / "package/tests/test_module.py").write_text("x = 1\n", encoding="ascii")
    (root / "package/link").symlink_to("module.py")
    (root / "package/run").write_text("#!/bin/sh\n", encoding="ascii")
    (root / "package/run").chmod(0o755)
    return root


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as archive:
        return {entry.name: entry for entry in archive}


def test_the_same_tree_makes_the_same_layer_at_any_time(tree: Path, tmp_path: Path) -> None:
    blobs = []
    for number in (1, 2):
        os.utime(tree / "package/module.py", (number, number))
        with LayerWriter(tmp_path / f"{number}.tar") as layer:
            layer.add_tree(tree, "usr/lib", lambda _: True)
        blobs.append(layer.blob())
    assert blobs[0].digest == blobs[1].digest
    content = blobs[0].path.read_bytes()
    assert blobs[0].digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert blobs[0].size == len(content)


def test_a_layer_holds_what_is_kept_with_its_modes_and_root_as_owner(tree: Path, tmp_path: Path) -> None:
    with LayerWriter(tmp_path / "layer.tar") as layer:
        layer.add_tree(tree, "usr/lib", lambda name: "/tests" not in name)
        layer.add_folder("workspace")
    found = members(tmp_path / "layer.tar")
    assert set(found) == {f"usr/lib/package{end}" for end in ("", "/link", "/module.py", "/run")} | {"workspace"}
    assert found["usr/lib/package/link"].linkname == "module.py"
    assert found["usr/lib/package/run"].mode == 0o755
    assert {(entry.uid, entry.gid, entry.mtime) for entry in found.values()} == {(0, 0, EPOCH)}


def test_an_archive_is_taken_over_without_what_is_left_out(tmp_path: Path) -> None:
    source = io.BytesIO()
    with tarfile.open(fileobj=source, mode="w:gz") as archive:
        for name, uid in (
            ("./etc/passwd", 0),
            ("./etc/hostname", 0),
            ("./var/mail/box", 8),
            ("./home/someone/x", 1234),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid, entry.gid = 3, uid, uid
            archive.addfile(entry, io.BytesIO(b"abc"))
    source.seek(0)
    with LayerWriter(tmp_path / "layer.tar") as layer:
        layer.add_archive(source, lambda name: name != "etc/hostname")
    found = members(tmp_path / "layer.tar")
    assert {name: entry.uid for name, entry in found.items()} == {
        "etc/passwd": 0,
        "var/mail/box": 8,
        "home/someone/x": 0,
    }


def test_a_path_that_two_sources_bring_is_taken_once_from_the_first(tree: Path, tmp_path: Path) -> None:
    source = io.BytesIO()
    with tarfile.open(fileobj=source, mode="w") as archive:
        for name in ("./usr/lib/", "./usr/lib/package/", "./usr/lib/package/more"):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(entry)
    source.seek(0)
    with LayerWriter(tmp_path / "layer.tar") as layer:
        layer.add_folder("usr/lib")
        layer.add_tree(tree, "usr/lib", lambda _: True)
        layer.add_archive(source, lambda _: True)
    with tarfile.open(tmp_path / "layer.tar") as archive:
        names = [entry.name for entry in archive]
    assert len(names) == len(set(names))
    assert "usr/lib/package/more" in names


def test_the_manifest_names_configuration_and_layers_by_digest(tree: Path, tmp_path: Path) -> None:
    with LayerWriter(tmp_path / "layer.tar") as layer:
        layer.add_tree(tree, "", lambda _: True)
    blob = layer.blob()
    config = write_config(tmp_path / "config.json", {"Cmd": ["/bin/bash"]}, [blob], {"key": "value"}, "amd64")
    document = json.loads(manifest(config, [blob]))
    assert document["schemaVersion"] == 2
    assert [entry["digest"] for entry in (document["config"], *document["layers"])] == [config.digest, blob.digest]
    settings = json.loads(config.path.read_bytes())
    assert settings["rootfs"]["diff_ids"] == [blob.digest]
    assert settings["config"] == {"Cmd": ["/bin/bash"], "Labels": {"key": "value"}}
    assert (settings["architecture"], settings["os"]) == ("amd64", "linux")
