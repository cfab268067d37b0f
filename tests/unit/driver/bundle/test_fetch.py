"""One download: resumed, verified, from several places; and a disk that is full."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from driver.bundle.contents import Content
from driver.bundle.fetch import Wish, fetch, plain, session, size_of
from driver.bundle.store import DiskFault, Store
from driver.errors import TaskFailed
from tests.unit.driver.bundle.web import Web

DATA = bytes(range(256)) * 9000  # over two of our blocks


def wish(web: Web, name: str = "driver.run", **changed: Any) -> Wish:
    web.files.setdefault(name, DATA)
    given: dict[str, Any] = {"sha256": web.sum(name), "size": len(web.files[name])} | changed
    return Wish(name, (f"{web.url}/{name}",), **given)


def left(store: Store) -> list[Path]:
    return [path for path in (store.root / "partial").iterdir() if path.is_file()]


def test_a_file_gets_its_name_only_when_it_is_whole(store: Store, web: Web) -> None:
    heard: list[int] = []
    content = fetch(store, wish(web), session(), heard.append)
    assert store.path(content.sha256).read_bytes() == DATA
    assert heard[-1] == len(DATA)
    assert left(store) == []


def test_a_broken_transfer_goes_on_where_it_broke(store: Store, web: Web) -> None:
    web.cut, web.times = 1_000_000, 2
    content = fetch(store, wish(web), session())
    assert store.path(content.sha256).read_bytes() == DATA
    assert [asked for _, asked in web.asked] == ["", "bytes=1000000-", "bytes=2000000-"]


def test_a_server_without_ranges_is_asked_from_the_beginning(store: Store, web: Web) -> None:
    web.cut, web.times, web.ranges = 1_000_000, 1, False
    content = fetch(store, wish(web), session())
    assert store.path(content.sha256).read_bytes() == DATA


def test_what_a_killed_run_left_is_continued(store: Store, web: Web) -> None:
    one = wish(web)
    store.part(one.key).write_bytes(DATA[:700_000])
    fetch(store, one, session())
    assert [asked for _, asked in web.asked] == ["bytes=700000-"]


def test_what_a_killed_run_left_of_another_file_is_thrown_away(store: Store, web: Web) -> None:
    one = wish(web)
    store.part(one.key).write_bytes(b"x" * 700_000)
    content = fetch(store, one, session())
    assert store.path(content.sha256).read_bytes() == DATA
    assert [asked for _, asked in web.asked] == ["bytes=700000-", ""]


def test_a_complete_unfinished_file_is_not_asked_for_again(store: Store, web: Web) -> None:
    one = wish(web)
    store.part(one.key).write_bytes(DATA)
    assert fetch(store, one, session()).size == len(DATA)
    assert web.asked == []


def test_a_complete_file_of_unknown_size_costs_one_question(store: Store, web: Web) -> None:
    one = wish(web, size=0)
    store.part(one.key).write_bytes(DATA)
    assert fetch(store, one, session()).size == len(DATA)
    assert [asked for _, asked in web.asked] == [f"bytes={len(DATA)}-"]


def test_a_wrong_hash_is_deleted_and_said(store: Store, web: Web) -> None:
    with pytest.raises(TaskFailed, match=r"driver\.run: no place gave it\. .*found sha256 \w+, expected 0{64}; it was"):
        fetch(store, wish(web, sha256="0" * 64), session())
    assert left(store) == []
    assert list(store.present()) == []


def test_the_next_place_is_asked_when_one_lies(store: Store, web: Web) -> None:
    web.files |= {"bad/driver.run": b"another", "good/driver.run": DATA}
    urls = (f"{web.url}/bad/driver.run", f"{web.url}/absent/driver.run", f"{web.url}/good/driver.run")
    content = fetch(store, Wish("driver.run", urls, web.sum("good/driver.run")), session())
    assert content.size == len(DATA)


def test_a_login_is_named(store: Store, web: Web) -> None:
    web.status["driver.run"] = 403
    with pytest.raises(TaskFailed, match=r"status 403: it asks for a login.*provision bundle add FILE"):
        fetch(store, wish(web), session())


def test_a_server_that_is_busy_is_asked_again_and_not_for_ever(store: Store, web: Web) -> None:
    web.status["driver.run"] = 503
    with pytest.raises(TaskFailed, match="status 503, 5 times without a new byte"):
        fetch(store, wish(web), session())
    assert len(web.asked) == 5


def test_nobody_there_is_said(store: Store) -> None:
    with pytest.raises(TaskFailed, match="Connection refused"):
        fetch(store, Wish("driver.run", ("http://127.0.0.1:9/driver.run",)), session())


def test_git_s_own_sum_is_compared_where_there_is_no_other(store: Store, web: Web) -> None:
    one = wish(web, sha256="", git_sha1="0" * 40)
    with pytest.raises(TaskFailed, match=r"found git object \w{40}, expected 0{40}"):
        fetch(store, one, session())


def test_a_full_disk_keeps_what_has_arrived(store: Store, web: Web) -> None:
    """A disk that is full in truth is in test_build.py."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DiskFault, match=r"No space left on device; .*make room there, then run the same again"):
        fetch(store, wish(web), session(), full)
    assert [file.stat().st_size for file in left(store)] != [0]


def test_a_hard_link_takes_no_second_copy(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "vendor.run"
    file.write_bytes(DATA)
    content = store.take(file)
    assert store.path(content.sha256).stat().st_ino == file.stat().st_ino


def test_another_file_than_expected_is_not_taken(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "vendor.run"
    file.write_bytes(DATA)
    with pytest.raises(TaskFailed, match=r"vendor\.run: found sha256 \w+; expected 1{64}; it is another file"):
        store.take(file, "1" * 64)
    assert list(store.present()) == []


def test_room_is_asked_for_before_the_first_byte(store: Store) -> None:
    with pytest.raises(TaskFailed, match=r"found .* free; expected .* TB for the rest of the bundle; make room there"):
        store.require(10**16)


def test_a_content_counts_by_its_size(store: Store) -> None:
    content = store.put(DATA)
    assert store.has(content)
    store.path(content.sha256).write_bytes(DATA[:-1])
    assert not store.has(content)
    assert not store.has(Content(sha256="0" * 64, size=1))


def test_sizes_are_known_without_reading(web: Web) -> None:
    web.files["driver.run"] = DATA
    assert size_of(f"{web.url}/driver.run", plain(session())) == len(DATA)
    web.ranges = False
    assert size_of(f"{web.url}/driver.run", plain(session())) == len(DATA)
    assert size_of(f"{web.url}/absent", plain(session())) == 0
    assert size_of("http://127.0.0.1:9/absent", plain(session())) == 0
