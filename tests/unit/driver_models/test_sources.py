"""Every source by its real client: whole, interrupted and continued, spoilt, incomplete, refused, slow and dead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from driver import paths
from driver.models import asking, caching
from driver.models.asking import Limits, SourceFailed
from driver.models.parts import set_id
from tests.lab.serving import gitlfs

from .conftest import BIG, BIG_BYTES, SMALL, SOURCES, Servers, content, write_model

SERVED = tuple(source for source in SOURCES if source != "path")
COMMITTED = ("modelscope", "huggingface", "openmind", "git")
QUICK = Limits(list_seconds=60.0, stall_seconds=2.0)


def named_as(servers: Servers, source: str, name: str) -> str:
    """Return what the server of *source* calls the file *name*: git-lfs calls it by its content."""
    return sha256((servers.model / name).read_bytes()).hexdigest() if source == "git" else name


def finals(root: Path) -> list[str]:
    """Return the names of the sets that count as whole."""
    folder = root / "cache/sets"
    return sorted(path.name for path in folder.iterdir() if not path.suffix) if folder.is_dir() else []


def good_names(partial: Path) -> set[str]:
    """Return which files of an unfinished set have their final names."""
    return {name for name in content(partial) if not name.endswith((".part", ".checkpoint")) and ".client" not in name}


@pytest.mark.parametrize("source", SOURCES)
def test_listed_and_fetched_whole(servers: Servers, source: str) -> None:
    place, found = servers.pinned(source)
    folder, whole = caching.ensure(place, found.files)
    wanted = content(servers.model)
    if source in ("http", "obs", "path"):  # their manifest is none of the model's files
        wanted.pop("manifest.json")
    fetched = content(folder)
    if source == "git":
        fetched.pop(".gitattributes")
    assert fetched == wanted
    assert finals(servers.root) == [folder.name] == [set_id(found.files)]
    assert {file.path: file.sha256 for file in whole if file.path in wanted} == {
        name: sha256(data).hexdigest() for name, data in wanted.items()
    }
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]


@pytest.mark.parametrize("source", ["http", "obs", "path"])
def test_the_text_of_sha256sum_is_a_manifest_too(servers: Servers, source: str) -> None:
    (servers.model / "manifest.json").unlink()
    wanted = content(servers.model)
    lines = [f"{sha256(data).hexdigest()}  ./{name}\n" for name, data in wanted.items()]
    (servers.model / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    place, found = servers.pinned(source)
    assert {file.path: (file.size, file.sha256) for file in found.files} == {
        name: (len(data), sha256(data).hexdigest()) for name, data in wanted.items()
    }
    assert content(caching.ensure(place, found.files)[0]) == wanted


def test_without_a_manifest_the_object_storage_is_counted_on_arrival(servers: Servers) -> None:
    (servers.model / "manifest.json").unlink()
    place, found = servers.pinned("obs")
    assert {file.sha256 for file in found.files} == {""}
    assert all(len(file.md5) == 32 for file in found.files)
    folder, whole = caching.ensure(place, found.files)
    assert {file.path: file.sha256 for file in whole} == {
        name: sha256(data).hexdigest() for name, data in content(servers.model).items()
    }
    assert caching.known(found.files) == (folder, whole)
    servers.faults["obs"].set(wrong=[BIG])
    shutil.rmtree(folder)
    with pytest.raises(SourceFailed, match=r"md5 [0-9a-f]{32}, expected [0-9a-f]{32}"):
        caching.ensure(place, found.files)


def test_a_folder_without_a_manifest_is_no_model_on_a_web_server(servers: Servers) -> None:
    (servers.model / "manifest.json").unlink()
    with pytest.raises(
        SourceFailed, match=r"has neither manifest\.json nor SHA256SUMS; expected the files of the model"
    ):
        asking.listing(servers.places["http"])


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_there_is_not_asked_for_again(servers: Servers, source: str) -> None:
    place, found = servers.pinned(source)
    caching.ensure(place, found.files)
    for faults in servers.faults.values():
        faults.set(status=503)
    assert caching.ensure(place, found.files)[0].is_dir()


@pytest.mark.parametrize("source", COMMITTED)
def test_a_branch_is_pinned_to_its_commit(servers: Servers, source: str) -> None:
    place = servers.places[source]
    commit = asking.listing(place).revision
    assert len(commit) == 40
    again = asking.listing(replace(place, revision=commit))
    assert again.revision == commit


def test_an_older_commit_of_git_stays_to_be_had(servers: Servers) -> None:
    place, found = servers.pinned("git")
    before = (servers.model / BIG).read_bytes()
    write_model(servers.model, b"x")
    newer = gitlfs.add(servers.root / "git", "small", servers.model)
    assert asking.listing(servers.places["git"]).revision == newer != found.revision
    folder, _ = caching.ensure(place, found.files)
    assert (folder / BIG).read_bytes() == before


class StoppedError(Exception):
    """What a test ends a download with."""


LONG_BYTES = 44 << 20  # two clients keep what they have in pieces of 10 MiB, and that of obs in pieces of 16
STOP_BYTES = 24 << 20


@pytest.mark.parametrize("source", SERVED)
def test_interrupted_and_continued_where_it_broke(servers: Servers, source: str) -> None:
    write_model(servers.model, b"y", LONG_BYTES)
    if source == "git":
        gitlfs.add(servers.root / "git", "small", servers.model)
    place, found = servers.pinned(source)
    faults, name = servers.faults[source], named_as(servers, source, BIG)
    faults.set(bytes_per_second=20_000_000)

    def stop(_: int) -> None:
        if asking.bytes_below(servers.root / "cache") > STOP_BYTES:
            raise StoppedError

    with pytest.raises(StoppedError):
        caching.ensure(place, found.files, Limits(), stop)
    assert finals(servers.root) == []
    faults.clear()
    faults.sent.clear()
    folder, _ = caching.ensure(place, found.files)
    assert (folder / BIG).read_bytes() == (servers.model / BIG).read_bytes()
    again = sum(count for path, count in faults.sent.items() if path.endswith(name))
    assert again < LONG_BYTES - (9 << 20), f"{again} bytes of {LONG_BYTES} were asked for again"


DRIVER = """
import sys
from driver.models import caching
from driver.models.parts import File, Place
place = Place("http", sys.argv[1], "", "", sys.argv[2])
caching.ensure(place, (File(sys.argv[3], int(sys.argv[4]), sys.argv[5]),))
"""


def test_a_driver_that_is_killed_takes_the_client_with_it(servers: Servers) -> None:
    place, found = servers.pinned("http")
    big = next(file for file in found.files if file.path == BIG)
    servers.faults["http"].set(bytes_per_second=300_000)
    words = [place.repo, place.cache, BIG, str(big.size), big.sha256]
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *words], cwd=paths.ROOT)
    wait_for(lambda: list(servers.root.glob("cache/sets/*.partial/*.part")))
    (client,) = children(driver.pid)
    driver.kill()
    driver.wait()
    wait_for(lambda: not Path(f"/proc/{client}").exists() or "Z" in state(client))


def wait_for(true: Callable[[], object], seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_two_runs_fetch_one_set_once(servers: Servers) -> None:
    place, found = servers.pinned("http")
    servers.faults["http"].sent.clear()
    servers.faults["http"].set(bytes_per_second=3_000_000)
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(caching.ensure, place, found.files) for _ in range(2)]
        folders = {one.result()[0] for one in done}
    assert len(folders) == 1
    assert servers.faults["http"].sent[BIG] == BIG_BYTES


@pytest.mark.parametrize("source", SERVED)
def test_a_broken_connection_is_taken_up_again(servers: Servers, source: str) -> None:
    place, found = servers.pinned(source)
    servers.faults[source].set(cut_after=BIG_BYTES // 2, cut_times=1)
    for attempt in range(3):  # some clients try again by themselves, others leave that to the next run
        try:
            folder, _ = caching.ensure(place, found.files)
            break
        except SourceFailed:
            assert finals(servers.root) == [], attempt
    assert (folder / BIG).read_bytes() == (servers.model / BIG).read_bytes()


@pytest.mark.parametrize("source", SERVED)
def test_a_wrong_hash_never_gets_its_name(servers: Servers, source: str) -> None:
    place, found = servers.pinned(source)
    servers.faults[source].set(wrong=[named_as(servers, source, BIG)])
    with pytest.raises(SourceFailed) as caught:
        caching.ensure(place, found.files)
    assert place.repo in str(caught.value)
    assert finals(servers.root) == []
    partial = caching.folder_of(found.files).with_name(f"{set_id(found.files)}.partial")
    assert BIG not in good_names(partial)
    servers.faults[source].clear()
    folder, _ = caching.ensure(place, found.files)
    assert (folder / BIG).read_bytes() == (servers.model / BIG).read_bytes()


@pytest.mark.parametrize("source", SERVED)
def test_a_missing_shard_is_no_model(servers: Servers, source: str) -> None:
    place, found = servers.pinned(source)
    servers.faults[source].set(missing=[named_as(servers, source, BIG)])
    with pytest.raises(SourceFailed, match="expected the files of the model") as caught:
        caching.ensure(place, found.files)
    assert caught.value.kind == "absent", str(caught.value)
    assert finals(servers.root) == []


@pytest.mark.parametrize("source", SERVED)
def test_an_expired_token_is_named_and_not_shown(servers: Servers, source: str) -> None:
    secrets = {"token": "old-token-9"} if source != "obs" else {"access_key": "access", "secret_key": "old-token-9"}
    place = replace(servers.places[source], secrets=secrets)
    servers.faults[source].set(token="new-token-1")
    with pytest.raises(SourceFailed) as caught:
        asking.listing(place)
    said = str(caught.value)
    assert caught.value.kind == "refused", said
    assert "expected a token that may read it; renew it where it is kept" in said
    assert "old-token-9" not in said


@pytest.mark.parametrize("source", ["modelscope", "huggingface", "openmind", "git"])
def test_the_right_token_is_sent(servers: Servers, source: str) -> None:
    servers.faults[source].set(token="new-token-1")
    place = replace(servers.places[source], secrets={"token": "new-token-1"})
    found = asking.listing(place)
    folder, _ = caching.ensure(replace(place, revision=found.revision), found.files)
    assert (folder / SMALL).read_bytes() == (servers.model / SMALL).read_bytes()


@pytest.mark.parametrize("source", SERVED)
def test_a_silent_mirror_is_given_up(servers: Servers, source: str) -> None:
    servers.faults[source].set(silent_seconds=60)
    began = time.monotonic()
    with pytest.raises(SourceFailed, match="no answer within 2 s; expected an answer of"):
        asking.listing(servers.places[source], Limits(list_seconds=2))
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("source", SERVED)
def test_a_mirror_that_stops_in_the_middle_is_given_up(servers: Servers, source: str) -> None:
    place, found = servers.pinned(source)
    servers.faults[source].set(silent_seconds=60)
    with pytest.raises(SourceFailed, match="brought nothing for 2 s"):
        caching.ensure(place, found.files, QUICK)
    assert finals(servers.root) == []


@pytest.mark.parametrize("source", SERVED)
def test_a_slow_mirror_is_waited_for(servers: Servers, source: str) -> None:
    place, found = servers.pinned(source)
    servers.faults[source].set(bytes_per_second=1_500_000)
    heard: list[int] = []
    folder, _ = caching.ensure(place, found.files, Limits(stall_seconds=20), heard.append)
    assert (folder / BIG).read_bytes() == (servers.model / BIG).read_bytes()
    assert heard, "nothing was told"  # some clients write ten megabytes at once, so it may be only once
    assert heard == sorted(heard), "what is told only grows"


@pytest.mark.parametrize("source", ["modelscope", "huggingface", "http", "git"])
def test_a_dead_mirror_is_named(servers: Servers, source: str) -> None:
    place = servers.places[source]
    dead = "http://127.0.0.1:9"
    gone = replace(place, endpoint=dead) if place.endpoint else replace(place, repo=f"{dead}/x")
    with pytest.raises(SourceFailed, match="look whether this machine reaches it"):
        asking.listing(gone, Limits(list_seconds=45))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for a part of the model."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={BIG_BYTES // 2}", "tmpfs", str(folder)]
    subprocess.run(mounted, check=True, capture_output=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a file system")
@pytest.mark.parametrize("source", SOURCES)
def test_a_full_disk_is_seen_before_the_first_byte(
    servers: Servers, source: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, found = servers.pinned(source)
    for faults in servers.faults.values():
        faults.sent.clear()
    monkeypatch.setenv("PROVISION_CACHE", str(small_disk / "cache"))
    with pytest.raises(SourceFailed, match=r"bytes free, and \d+ are missing; expected room for the model"):
        caching.ensure(place, found.files)
    assert all(not faults.sent for faults in servers.faults.values())


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a file system")
@pytest.mark.parametrize("source", SOURCES)
def test_a_disk_that_fills_up_meanwhile_leaves_nothing_at_the_final_place(
    servers: Servers, source: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, found = servers.pinned(source)
    monkeypatch.setenv("PROVISION_CACHE", str(small_disk / "cache"))
    monkeypatch.setattr(caching, "check_room", lambda *_: None)
    with pytest.raises(SourceFailed) as caught:
        caching.ensure(place, found.files)
    assert "make room" in str(caught.value) or "No space left" in str(caught.value), str(caught.value)
    assert BIG not in good_names(small_disk)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a file system")
def test_a_client_that_does_not_say_that_the_disk_is_full(
    servers: Servers, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, found = servers.pinned("http")

    def fail(*_: object) -> None:
        raise SourceFailed("failed", "some parts failed")

    monkeypatch.setenv("PROVISION_CACHE", str(small_disk / "cache"))
    monkeypatch.setattr(caching, "check_room", lambda *_: None)
    monkeypatch.setattr(caching, "bring", fail)
    with pytest.raises(
        SourceFailed, match=r"are missing, after the client failed \(some parts failed\); expected room"
    ):
        caching.ensure(place, found.files)
