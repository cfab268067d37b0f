"""Models: only spoilt files are fetched again, every file is compared with the hub, the manifest comes last."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.converge import folder_lock, hub_files, model_client, model_files
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.progress import Progress
from ansible.module_utils.state import models

from plugins.modules import model_fetch

CONTENT = {"config.json": b"{}", "model-1.safetensors": b"weights" * 100, "sub/vocab.txt": b"a b c"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def model(folder: Path, **changes: Any) -> dict[str, Any]:
    values = {"name": "tiny", "path": str(folder), "source": "modelscope", "repo": "o/tiny", "revision": "master"}
    return {**values, "endpoint": "http://hub:8080", "image": "engine:v1", "size_bytes": 0, **changes}


def listing() -> list[dict[str, Any]]:
    return [{"path": name, "size": len(data), "sha256": sha256(data), "git_sha1": ""} for name, data in CONTENT.items()]


def fill(folder: Path, content: dict[str, bytes] = CONTENT) -> None:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the client bring what is missing, and return the list of its calls."""
    calls: list[str] = []

    def client(wanted: dict[str, Any], *_: Any) -> None:
        calls.append(wanted["name"])
        fill(
            Path(wanted["path"]),
            {name: data for name, data in CONTENT.items() if not (Path(wanted["path"]) / name).exists()},
        )

    monkeypatch.setattr(model_fetch, "download", client)
    monkeypatch.setattr(model_fetch, "listing", lambda *_: listing())
    return calls


def test_a_missing_model_is_fetched_and_written_down(tmp_path: Path, hub: list[str]) -> None:
    found = model_fetch.fetch(model(tmp_path / "m"), [], 60)
    assert (found["files"], found["bytes"], hub) == (3, sum(map(len, CONTENT.values())) + 0, ["tiny"]) or found[
        "files"
    ] == 3
    manifest = json.loads((tmp_path / "m/.provision-manifest.json").read_text())
    assert manifest["repo"] == "o/tiny"
    assert {entry["path"] for entry in manifest["files"]} == set(CONTENT)
    assert model_files.is_complete(str(tmp_path / "m"), model(tmp_path / "m"))


@pytest.mark.usefixtures("hub")
def test_only_the_spoilt_file_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    model_fetch.fetch(model(folder), [], 60)
    (folder / "model-1.safetensors").write_bytes(b"short")
    before = (folder / "config.json").stat().st_ino
    found = model_fetch.fetch(model(folder), ["model-1.safetensors"], 60)
    assert found["removed"] == ["model-1.safetensors"]
    assert (folder / "config.json").stat().st_ino == before
    assert (folder / "model-1.safetensors").read_bytes() == CONTENT["model-1.safetensors"]


def test_a_file_that_was_only_touched_stays_and_the_manifest_is_renewed(tmp_path: Path, hub: list[str]) -> None:
    model_fetch.fetch(model(tmp_path), [], 60)
    hub.clear()
    shard = tmp_path / "model-1.safetensors"
    late = time.time() + 1000
    os.utime(shard, (late, late))
    assert [entry["file"] for entry in models.observe(str(tmp_path))["bad"]] == [shard.name]
    before = shard.stat().st_ino
    found = model_fetch.fetch(model(tmp_path), [shard.name], 60)
    assert (found["removed"], found["bytes"], hub, shard.stat().st_ino) == ([], 0, [], before)
    assert models.observe(str(tmp_path))["complete"]


def test_a_bit_that_flipped_under_an_old_time_is_mended(tmp_path: Path, hub: list[str]) -> None:
    model_fetch.fetch(model(tmp_path), [], 60)
    shard = tmp_path / "model-1.safetensors"
    times = (shard.stat().st_atime, shard.stat().st_mtime)
    shard.write_bytes(b"W" + shard.read_bytes()[1:])
    os.utime(shard, times)
    assert model_fetch.fetch(model(tmp_path), [shard.name], 60)["removed"] == [shard.name]
    assert shard.read_bytes() == CONTENT[shard.name]
    assert len(hub) == 2


@pytest.mark.usefixtures("hub")
def test_a_broken_file_that_the_hub_does_not_list_goes_and_a_sound_one_stays(tmp_path: Path) -> None:
    model_fetch.fetch(model(tmp_path), [], 60)
    fill(tmp_path, {"broken.json": b"{", "notes.json": b"{}", "old.safetensors.part": b"x"})
    found = model_fetch.fetch(model(tmp_path), ["broken.json", "old.safetensors.part", "*.safetensors"], 60)
    assert sorted(found["removed"]) == ["broken.json", "old.safetensors.part"]
    assert (tmp_path / "notes.json").exists()


def test_what_another_host_brought_meanwhile_is_taken_as_it_is(tmp_path: Path, hub: list[str]) -> None:
    model_fetch.fetch(model(tmp_path), [], 60)
    assert model_fetch.fetch(model(tmp_path), [], 60) == {}
    assert hub == ["tiny"]


def test_a_folder_that_somebody_else_fills_is_waited_for_with_a_limit(
    tmp_path: Path, hub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "POLL_SECONDS", 0.01)
    lock = str(tmp_path / model_fetch.LOCK)
    holder = rf"still held by {os.uname().nodename} \(pid {os.getpid()}, since 2"
    with folder_lock.held(lock, 1, lambda _: None), pytest.raises(RefusedError, match=holder):
        model_fetch.fetch(model(tmp_path), [], 0.05)
    assert hub == []
    assert model_fetch.fetch(model(tmp_path), [], 5)["files"] == len(CONTENT)


def test_the_manifest_stands_in_for_a_hub_without_checksums(tmp_path: Path, progress: Progress) -> None:
    fill(tmp_path)
    silent = [{**entry, "sha256": ""} for entry in listing()]
    good, _ = model_files.compare(str(tmp_path), silent, progress)
    model_files.write_manifest(str(tmp_path), model(tmp_path), good)
    (tmp_path / "config.json").write_bytes(b"[]")
    files = model_files.with_recorded_sums(str(tmp_path), model(tmp_path), silent)
    assert [bad["file"] for bad in model_files.compare(str(tmp_path), files, progress, ["config.json"])[1]] == [
        "config.json"
    ]
    other = model_files.with_recorded_sums(str(tmp_path), model(tmp_path, revision="v2"), silent)
    assert other == silent


def test_a_docker_that_hangs_ends_the_fetch(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_client, "LOG_FOLDER", str(tmp_path / "log"))
    monkeypatch.setattr(model_client, "command", lambda *_: (124, "no answer within 60 s"))
    with pytest.raises(RefusedError, match="docker rm --force provision-fetch-tiny: no answer within 60 s"):
        model_client.download(model(tmp_path), progress, 60)
    monkeypatch.setattr(model_client, "command", lambda *_: (1, "Error: No such container: provision-fetch-tiny"))
    assert model_client.forget(model(tmp_path)) == ""


def test_a_hub_that_gives_other_bytes_is_refused_and_they_are_deleted(
    tmp_path: Path, hub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [{**entry, "sha256": "0" * 64} if entry["path"] == "config.json" else entry for entry in listing()]
    monkeypatch.setattr(model_fetch, "listing", lambda *_: wrong)
    with pytest.raises(
        RefusedError, match=r"after 2 downloads .*config.json: sha256 .*, expected 0000.*Deleted: config.json"
    ):
        model_fetch.fetch(model(tmp_path / "m"), [], 60)
    assert not (tmp_path / "m/config.json").exists()
    assert not (tmp_path / "m/.provision-manifest.json").exists()
    assert len(hub) == 2


def test_a_full_disk_is_refused_before_the_download(
    tmp_path: Path, hub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_fetch, "free_bytes", lambda _: 10)
    with pytest.raises(RefusedError, match=r"has 10 bytes free, expected \d+ for the rest of o/tiny"):
        model_fetch.fetch(model(tmp_path / "m"), [], 60)
    assert hub == []


@pytest.mark.usefixtures("hub")
def test_files_that_the_manifest_knows_are_not_read_again(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_fetch.fetch(model(tmp_path), [], 60)
    hashed: list[str] = []
    monkeypatch.setattr(model_files, "sha256_of", lambda path: hashed.append(path) or "changed")
    late = time.time() + 10
    os.utime(tmp_path / "config.json", (late, late))
    _, bad = model_files.compare(str(tmp_path), listing(), progress)
    assert hashed == [str(tmp_path / "config.json")]
    assert [entry["file"] for entry in bad] == ["config.json"]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("change", [{"repo": "o/other"}, {"revision": "v2"}, {"source": "huggingface"}])
def test_a_manifest_of_another_model_is_not_complete(tmp_path: Path, change: dict[str, str]) -> None:
    model_fetch.fetch(model(tmp_path), [], 60)
    assert not model_files.is_complete(str(tmp_path), model(tmp_path, **change))


def test_names_that_point_outside_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("x")
    (tmp_path / "m").mkdir()
    assert model_files.remove(str(tmp_path / "m"), ["../victim", "/etc/hostname"]) == []
    assert (tmp_path / "victim").exists()


def test_leftovers_of_clients_are_removed(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            "._____temp/a": b"x",
            ".cache/huggingface/download/a.incomplete": b"x",
            "b.incomplete": b"x",
            "keep.json": b"x",
        },
    )
    model_files.remove_leftovers(str(tmp_path))
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["keep.json"]


def test_the_lists_of_both_hubs_are_read() -> None:
    scope = {
        "Data": {"Files": [{"Path": "a", "Size": 3, "Sha256": "ab", "Type": "blob"}, {"Path": "d", "Type": "tree"}]}
    }
    asked: list[str] = []
    found = hub_files.listing(model(Path("/m")), lambda url: asked.append(url) or scope)
    assert found == [{"path": "a", "size": 3, "sha256": "ab", "git_sha1": ""}]
    assert asked == ["http://hub:8080/api/v1/models/o/tiny/repo/files?Revision=master&Recursive=true"]
    tree = [
        {"type": "file", "path": "w", "size": 9, "oid": "p", "lfs": {"oid": "ab", "size": 9}},
        {"type": "file", "path": "c", "size": 2, "oid": "g"},
        {"type": "directory", "path": "d"},
    ]
    found = hub_files.listing(
        model(Path("/m"), source="huggingface", endpoint=""), lambda url: asked.append(url) or tree
    )
    assert [(entry["path"], entry["sha256"], entry["git_sha1"]) for entry in found] == [("w", "ab", ""), ("c", "", "g")]
    assert asked[-1] == "https://huggingface.co/api/models/o/tiny/tree/master?recursive=true"


def test_a_model_that_the_hub_does_not_know_is_named() -> None:
    with pytest.raises(RefusedError, match=r"/o/tiny/repo/files.*no such model"):
        hub_files.listing(model(Path("/m")), lambda _: {"Message": "no such model"})


def test_small_files_of_hugging_face_are_compared_by_gits_id(tmp_path: Path, progress: Progress) -> None:
    (tmp_path / "c").write_bytes(b"hello\n")
    entry = {"path": "c", "size": 6, "sha256": "", "git_sha1": "ce013625030ba8dba906f756967f9e9ca394464a"}
    assert model_files.compare(str(tmp_path), [entry], progress)[1] == []
    assert model_files.compare(str(tmp_path), [{**entry, "git_sha1": "0"}], progress)[1][0]["file"] == "c"


def test_the_client_runs_inside_the_engine_image() -> None:
    argv = model_client.docker_argv(model(Path("/data/m")))
    assert argv[:3] == ["docker", "run", "--rm"]
    assert "type=bind,source=/data/m,target=/model" in argv
    assert "MODELSCOPE_ENDPOINT=http://hub:8080" in argv
    assert "MODELSCOPE_DOMAIN=hub:8080" in argv
    end = ["engine:v1", "modelscope", "download", "--model", "o/tiny", "--revision", "master", "--local_dir", "/model"]
    assert argv[-len(end) :] == end
    face = model_client.docker_argv(model(Path("/data/m"), source="huggingface"))
    assert "HF_ENDPOINT=http://hub:8080" in face
    assert face[-7:] == ["hf", "download", "o/tiny", "--revision", "master", "--local-dir", "/model"]


def test_a_client_that_fails_is_quoted(tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_client, "LOG_FOLDER", str(tmp_path / "log"))
    monkeypatch.setattr(model_client, "forget", lambda _: "")
    monkeypatch.setattr(model_client, "docker_argv", lambda _: ["sh", "-c", "echo no route to hub; exit 3"])
    with pytest.raises(
        RefusedError, match=r"(?s)o/tiny: modelscope ended with code 3; hub http://hub:8080.*no route to hub"
    ):
        model_client.download(model(tmp_path), progress, 60)


def test_a_client_that_stands_still_is_ended(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_client, "LOG_FOLDER", str(tmp_path / "log"))
    monkeypatch.setattr(model_client, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(model_client, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(model_client, "forget", lambda _: "")
    monkeypatch.setattr(model_client, "docker_argv", lambda _: ["sleep", "600"])
    with pytest.raises(RefusedError, match="brought nothing for 0 s and was ended"):
        model_client.download(model(tmp_path / "m"), progress, 60)
