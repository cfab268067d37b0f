"""Models on disk, whole and broken in every way that is known; one file per case."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.state import models

CASES = sorted((Path(__file__).parent / "cases" / "models").glob("*.json"))


def content(spec: dict[str, Any]) -> bytes:
    if "text" in spec:
        return str(spec["text"]).encode()
    if "index" in spec:
        return json.dumps(
            {"metadata": {}, "weight_map": {f"w{n}": name for n, name in enumerate(spec["index"])}}
        ).encode()
    size = spec["tensor_bytes"]
    header = {"__metadata__": {"format": "pt"}, "w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    head = json.dumps(header).encode()
    raw = struct.pack("<Q", len(head)) + head + b"\1" * size + b"\2" * spec.get("more", 0)
    return raw[: len(raw) - spec.get("cut", 0)]


def make(folder: Path, case: dict[str, Any]) -> None:
    for name, spec in case["files"].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content(spec))
    manifest = case.get("manifest")
    if manifest is None:
        return
    listed = [
        {
            "path": name,
            "size": manifest.get("sizes", {}).get(name, (folder / name).stat().st_size),
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        }
        for name in case["files"]
        if not name.startswith(".provision-")
    ]
    whole = {"repo": manifest["repo"], "revision": manifest["revision"], "source": "modelscope"}
    time.sleep(0.01)  # a manifest is written last, and a file system's clock is coarse
    (folder / models.MANIFEST).write_text(json.dumps({**whole, "files": listed + manifest.get("extra", [])}))
    for name, spec in case["files"].items():
        if spec.get("spoil"):
            time.sleep(0.01)
            raw = bytearray((folder / name).read_bytes())
            raw[8:20] = b"x" * 12
            (folder / name).write_bytes(bytes(raw))


@pytest.mark.parametrize("file", CASES, ids=lambda path: path.stem)
def test_what_is_wrong_with_a_model_is_named(file: Path, tmp_path: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    make(tmp_path, case)
    found = models.observe(str(tmp_path))
    assert [entry["file"] for entry in found["bad"]] == [name for name, _ in case["bad"]]
    for entry, (_, part) in zip(found["bad"], case["bad"], strict=True):
        assert part in entry["reason"]
    assert found["complete"] is (not case["bad"])
    assert found["present"]


def whole(folder: Path) -> None:
    case = json.loads((CASES[0].parent / "manifest_fits.json").read_text(encoding="utf-8"))
    make(folder, case)


def test_an_absent_model_is_not_present(tmp_path: Path) -> None:
    assert models.observe(str(tmp_path / "nothing"))["present"] is False


def test_files_that_a_manifest_covers_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole(tmp_path)
    read: list[str] = []
    monkeypatch.setattr(models.safetensors, "fault", lambda path: (read.append(path), ("", 0))[1])
    assert models.observe(str(tmp_path))["complete"]
    assert not read
    os.utime(tmp_path / "model-1.safetensors")
    time.sleep(0.01)
    (tmp_path / "model-2.safetensors").touch()
    models.observe(str(tmp_path))
    assert str(tmp_path / "model-2.safetensors") in read


def test_a_deep_look_finds_a_bit_that_flipped(tmp_path: Path) -> None:
    whole(tmp_path)
    shard = tmp_path / "model-1.safetensors"
    raw = bytearray(shard.read_bytes())
    raw[-1] ^= 1
    shard.write_bytes(bytes(raw))
    os.utime(shard, (1, 1))  # no writer leaves it like this: what a disk does
    assert models.observe(str(tmp_path))["complete"]
    assert [entry["file"] for entry in models.observe(str(tmp_path), deep=True)["bad"]] == [shard.name]


def test_weights_that_were_written_after_they_were_verified_are_bad(tmp_path: Path) -> None:
    whole(tmp_path)
    (tmp_path / "model-1.safetensors").chmod(0o600)  # changes the time of the inode, not of the content
    assert models.observe(str(tmp_path))["complete"]
    time.sleep(0.01)
    (tmp_path / "model-2.safetensors").touch()
    (tmp_path / "somebodys-own.bin").touch()
    found = models.observe(str(tmp_path))
    assert found["bad"] == [{"file": "model-2.safetensors", "reason": "written since it was verified", "bytes": 0}]


def test_origin_and_size_are_reported(tmp_path: Path) -> None:
    whole(tmp_path)
    found = models.observe(str(tmp_path))
    assert (found["repo"], found["revision"], found["source"], found["verified"]) == (
        "a/b",
        "master",
        "modelscope",
        True,
    )
    assert found["files"] == 5
    assert found["bytes"] > 0


def test_what_the_lock_wants_and_the_manifest_lacks_is_counted(tmp_path: Path) -> None:
    whole(tmp_path)
    manifest = json.loads((tmp_path / models.MANIFEST).read_text(encoding="utf-8"))
    wanted = manifest["files"]
    assert models.observe(str(tmp_path), wanted=wanted)["lacks"] == {"files": 0, "bytes": 0}
    assert models.observe(str(tmp_path))["lacks"] == {"files": 0, "bytes": 0}
    first, second, *rest = wanted
    renamed, changed = {**first, "path": "renamed"}, {**second, "sha256": "0" * 64}
    unknown = [{**entry, "sha256": ""} for entry in rest]
    found = models.observe(str(tmp_path), wanted=[renamed, changed, *unknown])["lacks"]
    assert found == {"files": 2, "bytes": second["size"]}  # what has another name only need not be moved
    missing = models.observe(str(tmp_path / "nowhere"), wanted=wanted)["lacks"]
    assert missing == {"files": len(wanted), "bytes": sum(entry["size"] for entry in wanted)}


def test_a_download_that_was_interrupted_is_named_once(tmp_path: Path) -> None:
    whole(tmp_path)
    (tmp_path / models.PARTS).mkdir()
    (tmp_path / models.PARTS / "model-1.safetensors").write_bytes(b"half")
    found = models.observe(str(tmp_path))
    assert found["bad"] == [{"file": models.PARTS, "reason": "left by a download that was interrupted", "bytes": 0}]
    assert found["files"] == 5
