"""Archives come to one host from where the site keeps them, verified, and go on from host to host."""

from __future__ import annotations

import hashlib
import stat
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from plugins.filter.container_image import archive_ways, missing_images
from plugins.module_utils.converge import image_fetch
from plugins.module_utils.converge.errors import RefusedError
from tests.unit.images.parts import NAME, put

CONTENT = b"an archive" * 1000
SHA = hashlib.sha256(CONTENT).hexdigest()
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "web"
    folder.mkdir()
    put(folder / "image.tar", CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/image.tar"
    server.shutdown()
    server.server_close()
    thread.join()


def get(url: str, headers: dict[str, str]) -> Any:
    return OPENER.open(urllib.request.Request(url, headers=headers), timeout=20)


WEB = image_fetch.Web(get, lambda _: len(CONTENT))


def bring(archive: dict[str, Any], folder: Path, web: image_fetch.Web = WEB) -> dict[str, Any]:
    found: dict[str, Any] = image_fetch.bring({"name": NAME, "sha256": SHA, **archive}, str(folder), 20, web)
    return found


def test_an_archive_is_fetched_once_and_taken_away_again(tmp_path: Path, web: str) -> None:
    folder = tmp_path / "cache"
    first, second = bring({"url": web}, folder), bring({"url": web}, folder)
    path = folder / SHA / "image.tar"
    assert first == {"path": str(path), "moved": len(CONTENT), "set": [second["set"][0]]}
    assert second["moved"] == 0
    assert second["set"] == [{"path": "image.tar", "size": len(CONTENT), "sha256": SHA}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert image_fetch.remove({"sha256": SHA}, str(folder))
    assert list(folder.iterdir()) == []
    assert not image_fetch.remove({"sha256": SHA}, str(folder))


def test_an_interrupted_download_goes_on(tmp_path: Path, web: str) -> None:
    place = tmp_path / "cache" / SHA
    place.mkdir(parents=True)
    put(place / "image.tar.part", CONTENT[:4000])
    assert bring({"url": web}, tmp_path / "cache")["path"] == str(place / "image.tar")
    assert (place / "image.tar").read_bytes() == CONTENT


def test_another_content_is_deleted_and_named(tmp_path: Path, web: str) -> None:
    wrong = {"url": web, "sha256": "0" * 64}
    with pytest.raises(RefusedError, match=r"sha256 is \w+ .*, expected 0+ from site.yml \(images.archive.sha256\)"):
        bring(wrong, tmp_path / "cache")
    assert [file.name for file in (tmp_path / "cache" / ("0" * 64)).iterdir()] == []


def test_room_is_asked_for_before_the_first_byte(tmp_path: Path, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_fetch, "free_bytes", lambda _: 10)
    with pytest.raises(RefusedError, match=r"has 10 bytes free, expected 10200 for http://127.*make room"):
        bring({"url": web}, tmp_path / "cache")
    with pytest.raises(RefusedError, match="expected 510 for"):
        bring({"url": web, "size_bytes": 500}, tmp_path / "cache")


def test_an_archive_at_a_path_stays_where_it_lies(tmp_path: Path) -> None:
    given = put(tmp_path / "shared.tar", CONTENT)
    found = bring({"path": str(given)}, tmp_path / "cache")
    assert found["set"] == [{"path": "shared.tar", "size": len(CONTENT), "sha256": SHA}]
    assert Path(found["path"]).resolve() == given
    image_fetch.remove({"sha256": SHA}, str(tmp_path / "cache"))
    assert given.read_bytes() == CONTENT
    put(given, b"other")
    with pytest.raises(RefusedError, match=rf"sha256 is \w+, expected {SHA}, the sha256 of images.archive"):
        bring({"path": str(given)}, tmp_path / "cache")
    given.unlink()
    with pytest.raises(RefusedError, match=r"shared.tar: no such file on this host; .*images.archive.path of site.yml"):
        bring({"path": str(given)}, tmp_path / "cache")


def test_an_archive_at_a_path_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    """A run that failed later leaves the link; a person may have put another file there meanwhile."""
    given = put(tmp_path / "shared.tar", CONTENT)
    bring({"path": str(given)}, tmp_path / "cache")
    put(given, b"X" + CONTENT[1:])
    with pytest.raises(RefusedError, match=rf"sha256 is \w+, expected {SHA}, the sha256 of images.archive"):
        bring({"path": str(given)}, tmp_path / "cache")
    assert given.exists()


def test_what_several_hosts_wait_for_fails_once(tmp_path: Path, web: str) -> None:
    """Every host of a site asks the host that fetches; a wrong file is not moved again for each of them."""
    asked: list[str] = []
    began, faults = threading.Event(), list[str]()

    def slow(url: str, headers: dict[str, str]) -> Any:
        asked.append(url)
        began.wait(10)
        return get(url, headers)

    def ask() -> None:
        with pytest.raises(RefusedError) as refused:
            bring({"url": web, "sha256": "0" * 64}, tmp_path / "cache", image_fetch.Web(slow, lambda _: len(CONTENT)))
        faults.append(str(refused.value))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    threading.Timer(1, began.set).start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    assert len(set(faults)) == 1
    with pytest.raises(RefusedError, match=r"expected 0+"):
        bring({"url": web, "sha256": "0" * 64}, tmp_path / "cache", image_fetch.Web(slow, lambda _: len(CONTENT)))
    assert len(asked) == 2, "the next run asks again"


OBSUTIL = """#!/bin/sh
cp "$OBS_STANDS_FOR" "$3"
echo "$@" > "$OBS_STANDS_FOR.said"
exit {code}
"""


@pytest.mark.parametrize(
    ("code", "content", "message"),
    [
        (0, CONTENT, ""),
        (6, CONTENT, "obsutil cp obs://b/image.tar ended with 6"),
        (0, b"x", r"sha256 is \w+, expected"),
    ],
)
def test_an_object_is_copied_by_its_own_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, content: bytes, message: str
) -> None:
    program = put(tmp_path / "obsutil", OBSUTIL.format(code=code).encode())
    program.chmod(0o755)
    monkeypatch.setattr("plugins.module_utils.converge.session.SEARCH_PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("OBS_STANDS_FOR", str(put(tmp_path / "object", content)))
    archive = {"obs": "obs://b/image.tar"}
    if message:
        with pytest.raises(RefusedError, match=message):
            bring(archive, tmp_path / "cache")
        assert not (tmp_path / "cache" / SHA / "image.tar").exists()
    else:
        assert Path(bring(archive, tmp_path / "cache")["path"]).read_bytes() == CONTENT
        said = (tmp_path / "object.said").read_text(encoding="utf-8")
        assert "-vlength -vmd5 -cpd=" in said


MEMBERS = [{"host": f"n{number}", "address": f"192.0.2.{number}"} for number in (1, 2, 3, 4)]
MOVES = {"members": MEMBERS}


def ways(me: str, hosts: list[str], fetch: str = "first", **archive: str) -> list[dict[str, Any]]:
    image = {"name": NAME, "archive": {"sha256": SHA, "url": "http://x/i.tar", **archive}, "fetch": fetch}
    other = {"name": "pulled", "archive": {}, "fetch": "each", "members": []}
    missing = {host: [NAME, "pulled"] for host in hosts}
    return archive_ways([other, {**image, "members": MEMBERS[:3]}], missing, me, MOVES)


def test_the_first_host_that_plays_fetches_and_the_others_ask_along_the_line() -> None:
    playing = ["n1", "n2", "n3"]
    (first,), (second,), (third,) = (ways(me, playing) for me in playing)
    assert {way["fetcher"] for way in (first, second, third)} == {"n1"}
    assert first["upstreams"] == []
    assert [one["name"] for one in third["upstreams"]] == ["n2", "n1"]
    assert second["upstreams"] == [{"name": "n1", "address": "192.0.2.1"}]
    assert [way["leads"] for way in (first, second, third)] == [True, False, False]
    assert third["path"] == f"/var/cache/provision/images/{SHA}/image.tar"
    assert all(way["shares"] for way in (first, second, third))


def test_a_host_that_does_not_play_is_no_link_and_may_still_be_the_one_that_fetches() -> None:
    (way,) = ways("n3", ["n2", "n3"])
    assert (way["fetcher"], [one["name"] for one in way["upstreams"]]) == ("n2", ["n2"])
    (way,) = ways("n3", ["n2", "n3"], fetch="n4")
    assert (way["fetcher"], [one["name"] for one in way["upstreams"]]) == ("n4", ["n2", "n4"])
    (way,) = ways("n2", ["n2"])
    assert (way["fetcher"], way["upstreams"], way["shares"]) == ("n2", [], False)
    (way,) = ways("n2", ["n1", "n2"], fetch="each")
    assert (way["fetcher"], way["upstreams"], way["shares"]) == ("n2", [], False)


def test_an_archive_at_a_path_keeps_its_name() -> None:
    assert ways("n1", ["n1"], path="/mnt/x/engine.tar.gz")[0]["path"].endswith(f"{SHA}/engine.tar.gz")
    assert archive_ways([], {"n1": []}, "n1", MOVES) == []


def test_a_host_that_lacks_only_another_image_neither_fetches_nor_passes_on() -> None:
    archive = {"sha256": SHA, "url": "http://x/i.tar"}
    images = [{"name": NAME, "archive": archive, "fetch": "first", "members": MEMBERS}]
    drift = {"n1": ["pulled"], "n2": [NAME], "n3": ["pulled"], "n4": ["pulled", NAME]}
    hostvars = {
        host: {"host_state": {"drift": {"container_image": [{"detail": {"name": name}} for name in names]}}}
        for host, names in drift.items()
    }
    missing = missing_images(hostvars, drift)
    assert archive_ways(images, missing, "n1", MOVES) == [], "its archive would never be taken away there"
    (second,), (fourth,) = (archive_ways(images, missing, me, MOVES) for me in ("n2", "n4"))
    assert (second["fetcher"], second["leads"], second["passes"]) == ("n2", True, False)
    assert [one["name"] for one in fourth["upstreams"]] == ["n2"]
    (second,) = archive_ways([{**images[0], "fetch": "n1"}], missing, "n2", MOVES)
    assert (second["fetcher"], second["leads"], second["passes"]) == ("n1", True, True)
