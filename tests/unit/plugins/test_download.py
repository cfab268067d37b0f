"""A download is resumed, verified, and never used when it differs."""

from __future__ import annotations

import hashlib
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import download
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.progress import Progress

CONTENT = bytes(range(256)) * 8192
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Mirror(BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; the server's `cut` says after how many bytes the next answer breaks off."""

    def do_GET(self) -> None:
        ranged = self.headers.get("Range")
        start = int(ranged.split("=")[1].rstrip("-")) if ranged else 0
        self.server.starts.append(start)
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if ranged else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT)
        if self.server.cuts:
            end = min(end, start + self.server.cuts.pop())
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.starts, server.cuts = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def opener(url: str, headers: dict[str, str]) -> Any:
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5)


def fetch(server: ThreadingHTTPServer, dest: Path, progress: Progress, sha256: str = SHA256) -> int:
    return download.fetch(f"http://127.0.0.1:{server.server_port}/package", str(dest), sha256, opener, progress)


def test_a_file_arrives_whole_and_private(mirror: ThreadingHTTPServer, tmp_path: Path, progress: Progress) -> None:
    dest = tmp_path / "package"
    assert fetch(mirror, dest, progress) == len(CONTENT)
    assert dest.read_bytes() == CONTENT
    assert dest.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "package.part").exists()
    assert progress.total_bytes == len(CONTENT)


def test_an_unfinished_file_is_continued(mirror: ThreadingHTTPServer, tmp_path: Path, progress: Progress) -> None:
    (tmp_path / "package.part").write_bytes(CONTENT[:1000])
    assert fetch(mirror, tmp_path / "package", progress) == len(CONTENT) - 1000
    assert mirror.starts == [1000]


def test_a_broken_connection_is_taken_up_where_it_ended(
    mirror: ThreadingHTTPServer, tmp_path: Path, progress: Progress
) -> None:
    mirror.cuts = [70_000, 50_000]
    fetch(mirror, tmp_path / "package", progress)
    assert mirror.starts == [0, 50_000, 120_000]


def test_a_wrong_beginning_is_thrown_away_once(mirror: ThreadingHTTPServer, tmp_path: Path, progress: Progress) -> None:
    (tmp_path / "package.part").write_bytes(b"x" * 1000)
    fetch(mirror, tmp_path / "package", progress)
    assert mirror.starts == [1000, 0]
    assert (tmp_path / "package").read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_taken(mirror: ThreadingHTTPServer, tmp_path: Path, progress: Progress) -> None:
    (tmp_path / "package.part").write_bytes(CONTENT)
    assert fetch(mirror, tmp_path / "package", progress) == 0


def test_a_file_that_differs_is_deleted_and_named(
    mirror: ThreadingHTTPServer, tmp_path: Path, progress: Progress
) -> None:
    with pytest.raises(RefusedError, match=rf"sha256 is {SHA256} \({len(CONTENT)} bytes\), expected 00ff .*deleted"):
        fetch(mirror, tmp_path / "package", progress, "00ff")
    assert list(tmp_path.glob("package*")) == []


def test_a_mirror_that_does_not_answer_is_named(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.0)
    with pytest.raises(RefusedError, match=r"http://127.0.0.1:9/package: .*refused.*5 attempts"):
        download.fetch("http://127.0.0.1:9/package", str(tmp_path / "package"), SHA256, opener, progress)
