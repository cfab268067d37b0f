"""The engine is reached over its unix socket, and its faults are told in its own words."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.module_utils.converge.docker_api import DockerApi
from plugins.module_utils.converge.errors import RefusedError

ANSWERS = {
    "GET /info": (200, b'{"DefaultRuntime": "runc"}'),
    "GET /images/none/json": (404, b'{"message": "No such image"}'),
    "POST /images/create?fromImage=a&tag=b": (200, b'{"status": "one"}\n{"status": "two"}\n'),
    "POST /images/x/tag": (500, b'{"message": "disk is full"}'),
}


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        line = self.rfile.readline().decode().rsplit(" ", 1)[0]
        while self.rfile.readline().strip():
            continue
        status, body = ANSWERS[line]
        self.wfile.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[DockerApi]:
    path = str(tmp_path / "docker.sock")
    server = socketserver.ThreadingUnixStreamServer(path, Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield DockerApi(path, timeout=5)
    server.shutdown()
    server.server_close()
    thread.join()


def test_answers_are_read(api: DockerApi) -> None:
    assert api.get("/info") == {"DefaultRuntime": "runc"}
    assert api.get("/images/none/json") is None
    assert [event["status"] for event in api.stream("/images/create", {"fromImage": "a", "tag": "b"})] == ["one", "two"]


def test_a_refusal_has_the_engines_words(api: DockerApi) -> None:
    with pytest.raises(RefusedError, match="refused /images/x/tag with status 500: disk is full"):
        api.post("/images/x/tag", {})


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"does not answer on .*none.sock.*systemctl status docker"):
        DockerApi(str(tmp_path / "none.sock"), timeout=1).get("/info")
