"""Models: only spoilt files are fetched again, every file is compared with the hub, the manifest comes last."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.converge import folder_lock, model_bring, model_client, model_files, model_settle
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.model_access import Access, Way
from ansible.module_utils.converge.model_stage import Stage
from ansible.module_utils.converge.progress import Progress
from ansible.module_utils.state import models

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
def tmp_path(tmp_path: Path) -> Path:
    """A folder without neighbours: models that lie beside each other share what they have in common."""
    (tmp_path / "alone").mkdir()
    return tmp_path / "alone"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the client bring what is missing, and return the list of its calls."""
    calls: list[str] = []

    def client(wanted: dict[str, Any], names: list[str], stage: Any, _: Way) -> None:
        calls.append(wanted["name"])
        fill(Path(stage.path), {name: data for name, data in CONTENT.items() if not names or name in names})

    monkeypatch.setattr(model_bring.model_source, "download", client)
    return calls


def open_nothing(*_: Any) -> Any:
    raise AssertionError("nobody is to ask the hub")


def fetch(wanted: dict[str, Any], bad: list[str], seconds: float = 60, files: Any = None) -> dict[str, Any]:
    """Make the model whole, as the module does it on the host that asks the source."""
    access = Access(open_nothing)
    done: dict[str, Any] = model_bring.fetch(wanted, listing() if files is None else files, bad, access, seconds)
    return done


def test_a_missing_model_is_fetched_and_written_down(tmp_path: Path, hub: list[str]) -> None:
    found = fetch(model(tmp_path / "m"), [], 60)
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
    fetch(model(folder), [], 60)
    (folder / "model-1.safetensors").write_bytes(b"short")
    before = (folder / "config.json").stat().st_ino
    found = fetch(model(folder), ["model-1.safetensors"], 60)
    assert found["removed"] == ["model-1.safetensors"]
    assert (folder / "config.json").stat().st_ino == before
    assert (folder / "model-1.safetensors").read_bytes() == CONTENT["model-1.safetensors"]


def test_a_file_that_was_only_touched_stays_and_the_manifest_is_renewed(tmp_path: Path, hub: list[str]) -> None:
    fetch(model(tmp_path), [], 60)
    hub.clear()
    shard = tmp_path / "model-1.safetensors"
    late = time.time() + 1000
    os.utime(shard, (late, late))
    assert [entry["file"] for entry in models.observe(str(tmp_path))["bad"]] == [shard.name]
    before = shard.stat().st_ino
    found = fetch(model(tmp_path), [shard.name], 60)
    assert (found["removed"], found["bytes"], hub, shard.stat().st_ino) == ([], 0, [], before)
    assert models.observe(str(tmp_path))["complete"]


def test_a_bit_that_flipped_under_an_old_time_is_mended(tmp_path: Path, hub: list[str]) -> None:
    fetch(model(tmp_path), [], 60)
    shard = tmp_path / "model-1.safetensors"
    times = (shard.stat().st_atime, shard.stat().st_mtime)
    shard.write_bytes(b"W" + shard.read_bytes()[1:])
    os.utime(shard, times)
    assert fetch(model(tmp_path), [shard.name], 60)["removed"] == [shard.name]
    assert shard.read_bytes() == CONTENT[shard.name]
    assert len(hub) == 2


@pytest.mark.usefixtures("hub")
def test_a_broken_file_that_the_hub_does_not_list_goes_and_a_sound_one_stays(tmp_path: Path) -> None:
    fetch(model(tmp_path), [], 60)
    fill(tmp_path, {"broken.json": b"{", "notes.json": b"{}", "old.safetensors.part": b"x"})
    found = fetch(model(tmp_path), ["broken.json", "old.safetensors.part", "*.safetensors"], 60)
    assert sorted(found["removed"]) == ["broken.json", "old.safetensors.part"]
    assert (tmp_path / "notes.json").exists()


def test_what_another_host_brought_meanwhile_is_taken_as_it_is(tmp_path: Path, hub: list[str]) -> None:
    fetch(model(tmp_path), [], 60)
    assert fetch(model(tmp_path), [], 60) == {}
    assert hub == ["tiny"]


def test_a_folder_that_somebody_else_fills_is_waited_for_with_a_limit(
    tmp_path: Path, hub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "POLL_SECONDS", 0.01)
    lock = str(tmp_path / model_bring.LOCK)
    holder = rf"still held by {os.uname().nodename} \(pid {os.getpid()}, since 2"
    with folder_lock.held(lock, 1, lambda _: None), pytest.raises(RefusedError, match=holder):
        fetch(model(tmp_path), [], 0.05)
    assert hub == []
    assert fetch(model(tmp_path), [], 5)["files"] == len(CONTENT)


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
        model_client.download(model(tmp_path), [], Stage(str(tmp_path), []), Way(Access(open_nothing), progress, 60))
    monkeypatch.setattr(model_client, "command", lambda *_: (1, "Error: No such container: provision-fetch-tiny"))
    assert model_client.forget(model(tmp_path)) == ""


def test_a_hub_that_gives_other_bytes_is_refused_and_they_are_deleted(tmp_path: Path, hub: list[str]) -> None:
    wrong = [{**entry, "sha256": "0" * 64} if entry["path"] == "config.json" else entry for entry in listing()]
    expected = (
        r"after 2 downloads modelscope .*its own checksums say: config.json: sha256 .*, expected 0000.*is deleted"
    )
    with pytest.raises(RefusedError, match=expected):
        fetch(model(tmp_path / "m"), [], files=wrong)
    with pytest.raises(RefusedError, match=r"the checksums of site.lock say.*provision lock --update"):
        fetch(model(tmp_path / "m", files=wrong), [], files=wrong)
    assert not (tmp_path / "m/config.json").exists()
    assert not (tmp_path / "m/.provision-parts/config.json").exists()
    assert (tmp_path / "m/model-1.safetensors").exists()
    assert not (tmp_path / "m/.provision-manifest.json").exists()
    assert len(hub) == 4


def test_a_full_disk_is_refused_before_the_download(
    tmp_path: Path, hub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_settle, "free_bytes", lambda _: 10)
    with pytest.raises(
        RefusedError, match=r"file system of .*/m has 10 bytes free, expected \d+ for .*\(models\[\].path\)"
    ):
        fetch(model(tmp_path / "m"), [], 60)
    assert hub == []


@pytest.mark.usefixtures("hub")
def test_files_that_the_manifest_knows_are_not_read_again(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(model(tmp_path), [], 60)
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
    fetch(model(tmp_path), [], 60)
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


def test_only_what_a_new_revision_changed_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"config.json": b"{}", "a.safetensors": b"same" * 100, "b.safetensors": b"old" * 100, "gone.json": b"[]"}
    new = {"config.json": b"{ }", "renamed.safetensors": old["a.safetensors"], "b.safetensors": b"new" * 100}
    state = {"content": old}
    asked: list[list[str]] = []

    def client(_: Any, names: list[str], stage: Any, *__: Any) -> None:
        asked.append(sorted(names))
        fill(Path(stage.path), {name: data for name, data in state["content"].items() if not names or name in names})

    def files() -> list[dict[str, Any]]:
        rows = state["content"].items()
        return [{"path": name, "size": len(data), "sha256": sha256(data), "git_sha1": ""} for name, data in rows]

    monkeypatch.setattr(model_bring.model_source, "download", client)
    fetch(model(tmp_path / "m"), [], files=files())
    (tmp_path / "m/notes.txt").write_text("a person's own")
    state["content"] = new
    done = fetch(model(tmp_path / "m", revision="v2"), [], files=files())
    assert asked == [[], ["b.safetensors", "config.json"]]
    assert (done["reused"], done["bytes"]) == (1, len(new["config.json"]) + len(new["b.safetensors"]))
    ours = {model_bring.LOCK, model_files.MANIFEST}
    assert {path.name for path in (tmp_path / "m").iterdir()} - ours == {*new, "notes.txt"}
    assert {name: (tmp_path / "m" / name).read_bytes() for name in new} == new
    beside = fetch(model(tmp_path / "copy", revision="v2"), [], files=files())
    assert (beside["reused"], beside["bytes"], len(asked)) == (3, 0, 2)
    assert models.observe(str(tmp_path / "copy"))["verified"]


def test_what_was_verified_before_an_interruption_is_not_read_again(
    tmp_path: Path, hub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [{**entry, "sha256": "0" * 64} if entry["path"] == "config.json" else entry for entry in listing()]
    with pytest.raises(RefusedError, match="after 2 downloads"):
        fetch(model(tmp_path / "m"), [], files=broken)
    seen = models.observe(str(tmp_path / "m"))
    assert any("begun and not finished" in entry["reason"] for entry in seen["bad"])
    hashed: list[str] = []
    real = model_files.sha256_of
    monkeypatch.setattr(model_files, "sha256_of", lambda path: hashed.append(Path(path).name) or real(path))
    hub.clear()
    assert fetch(model(tmp_path / "m"), [])["files"] == len(CONTENT)
    assert (hashed, hub) == ([], ["tiny"])
    assert not (tmp_path / "m/.provision-parts").exists()


def test_nothing_unverified_is_at_its_final_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def client(_: Any, __: Any, stage: Any, ___: Any) -> None:
        fill(Path(stage.path), {**CONTENT, "config.json": b"[]"})
        stage.take()
        seen.extend(sorted(path.name for path in Path(stage.folder).rglob("*") if "parts" not in str(path)))
        raise RefusedError("the hub died")

    monkeypatch.setattr(model_bring.model_source, "download", client)
    with pytest.raises(RefusedError, match="the hub died"):
        fetch(model(tmp_path / "m"), [])
    assert seen == [".provision-lock", "model-1.safetensors", "sub", "vocab.txt"]


def test_one_file_system_has_to_hold_all_models_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_settle, "free_bytes", lambda _: 1500)
    model_settle.check_rooms({str(tmp_path / "a"): 1000})
    with pytest.raises(
        RefusedError, match=r"system of .*/a, .*/b has 1500 bytes free, expected 2040 .*Nothing was moved"
    ):
        model_settle.check_rooms({str(tmp_path / "a"): 1000, str(tmp_path / "b"): 1000, str(tmp_path / "c"): 0})


def test_storage_that_is_called_shared_and_is_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_bring, "SHARED_SECONDS", 0.1)
    model_bring.await_writer(model(tmp_path), lambda: True, "node1")
    with pytest.raises(
        RefusedError, match=r"does not show o/tiny as node1 left it .*models\[\].shared.*mount the same"
    ):
        model_bring.await_writer(model(tmp_path), lambda: False, "node1")


def test_a_file_that_has_its_size_before_its_content_is_waited_for(tmp_path: Path) -> None:
    (entry,) = [entry for entry in listing() if entry["path"] == "config.json"]
    stage = Stage(str(tmp_path), [entry])
    staged = tmp_path / ".provision-parts/config.json"
    staged.write_bytes(b"\0\0")
    stage.take()
    assert (staged.exists(), stage.good, stage.faults) == (True, [], [])
    staged.write_bytes(CONTENT["config.json"])
    os.utime(staged, (1, 1))
    stage.take()
    assert [done["path"] for done in stage.good] == ["config.json"]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("link", [".provision-lock", ".provision-manifest.json.new", ".provision-parts"])
def test_a_link_in_a_folder_of_another_account_leads_root_nowhere(tmp_path: Path, link: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir() if link == ".provision-parts" else victim.write_text("of root")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / link).symlink_to(victim)
    if link == ".provision-lock":
        with pytest.raises(RefusedError, match=r"\.provision-lock is a symbolic link, expected a file that provision"):
            fetch(model(tmp_path / "m"), [])
    else:
        fetch(model(tmp_path / "m"), [])
        assert models.observe(str(tmp_path / "m"))["verified"]
    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_text() == "of root"


@pytest.mark.usefixtures("hub")
def test_a_file_of_the_model_with_the_name_of_a_leftover_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTENT, "uv.lock", b"version = 1")
    fetch(model(tmp_path / "m"), [])
    assert (tmp_path / "m/uv.lock").read_bytes() == b"version = 1"
    assert models.observe(str(tmp_path / "m"))["bad"] == []


def test_what_a_host_adds_to_a_model_is_no_part_of_it(tmp_path: Path) -> None:
    own = [{"path": name, "size": 1, "sha256": "", "git_sha1": ""} for name in (models.MANIFEST, models.LOCK)]
    wanted = model(tmp_path / "m", files=[*listing(), *own])
    assert model_bring.files_of(wanted, Access(open_nothing)) == listing()
    fill(tmp_path / "m")
    model_files.write_manifest(str(tmp_path / "m"), wanted, listing())
    assert models.observe(str(tmp_path / "m"), wanted=wanted["files"])["lacks"] == {"files": 0, "bytes": 0}


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/../../evil"])
def test_a_list_that_points_outside_is_refused_whatever_the_source(tmp_path: Path, name: str) -> None:
    files = [{"path": name, "size": 1, "sha256": ""}]
    with pytest.raises(RefusedError, match=r"evil', which would lie outside of"):
        model_bring.files_of(model(tmp_path / "m", source="obs", files=files), Access(open_nothing))


def test_a_file_that_another_account_could_change_later_is_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: Progress
) -> None:
    fill(tmp_path / "theirs")
    model_files.write_manifest(str(tmp_path / "theirs"), model(tmp_path / "theirs"), listing())
    (tmp_path / "m").mkdir()
    uid = os.geteuid()
    monkeypatch.setattr(model_settle.os, "geteuid", lambda: uid + 1)
    assert model_settle.settle(str(tmp_path / "m"), listing(), [], progress).good == []
    monkeypatch.undo()
    assert len(model_settle.settle(str(tmp_path / "m"), listing(), [], progress).good) == len(CONTENT)
