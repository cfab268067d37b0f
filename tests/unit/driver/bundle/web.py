"""A web server with ranges that can be told to misbehave, and what it was asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


@dataclass
class Web:
    """Files by path; *cut* ends each answer after so many bytes, *times* times; *hidden* gives no length."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    times: int = 0
    ranges: bool = True
    hidden: bool = False
    url: str = ""

    def sum(self, name: str) -> str:
        return hashlib.sha256(self.files[name]).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        web, path = self.web, unquote(self.path.partition("?")[0]).lstrip("/")
        asked = self.headers.get("Range", "")
        web.asked.append((path, asked))
        content = web.files.get(path)
        status = web.status.get(path, 404 if content is None else 200)
        if status != 200 or content is None:
            self._head(status, 0)
            return
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked and web.ranges else 0
        if asked and web.ranges and start >= len(content):
            self._head(416, 0, f"bytes */{len(content)}")
            return
        end = len(content)
        if asked.endswith("0-0") and web.ranges:
            end = 1
        part = content[start:end]
        self._head(206 if asked and web.ranges else 200, len(part), f"bytes {start}-{end - 1}/{len(content)}")
        if web.cut and web.times and len(part) > web.cut:
            web.times -= 1
            part = part[: web.cut]
            self.close_connection = True
        self.wfile.write(part)
        if web.hidden:
            self.close_connection = True

    def _head(self, status: int, length: int, span: str = "") -> None:
        self.send_response(status)
        if not self.web.hidden:
            self.send_header("Content-Length", str(length))
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()


class Calm(ThreadingHTTPServer):
    """A client that was killed is no news."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    """Run *server* in a thread; yield its address."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving(web: Web) -> Iterator[Web]:
    """Serve *web*; its address is in it."""
    server = Calm(("127.0.0.1", 0), type("Bound", (Handler,), {"web": web}))
    with running(server) as web.url:
        yield web
