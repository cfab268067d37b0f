"""The HTTP server of a bundle: read only, ranges, one thread for each connection, bytes by sendfile."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from driver.bundle import serve_files, serve_hub, serve_registry
from driver.bundle.serve_hub import AbsentError
from driver.bundle.shelf import Answer, Made, Shelf, Stored
from driver.errors import ProvisionError, UsageError

LOG = logging.getLogger(__name__)
IDLE_SECONDS: Final = 60
_PLAIN: Final = "text/plain; charset=utf-8"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_LARGEST_BODY: Final = 1 << 20  # of a question: one client asks by POST
ROUTES: Final[tuple[tuple[re.Pattern[str], Callable[..., Answer]], ...]] = tuple(
    (re.compile(pattern), answer)
    for pattern, answer in (*serve_files.ROUTES, *serve_registry.ROUTES, *serve_hub.ROUTES)
)


def span(header: str | None, size: int) -> tuple[int, int, bool] | None:
    """Return start and end (exclusive) of what *header* asks for, and whether that is a part.

    None when *size* bytes cannot meet it. Without a header, with several ranges or with another unit than bytes it is
    everything, as the protocol allows.
    """
    found = _RANGE.fullmatch((header or "").replace(" ", ""))
    if found is None or found.group() == "bytes=-":
        return 0, size, False
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    return (start, end, True) if start < end else None


class Handler(BaseHTTPRequestHandler):
    """Answers one client."""

    protocol_version = "HTTP/1.1"
    server_version = "provision-bundle"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    shelf: ClassVar[Shelf]

    def do_GET(self) -> None:
        """Answer with a body."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer without one."""
        self._answer()

    def do_POST(self) -> None:
        """Answer what a client asks by POST: only ModelScope's does, and it sends nothing that matters."""
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > _LARGEST_BODY or not self.path.startswith("/api/v1/"):
            self.close_connection = True  # the body stays unread
            self._refuse_method()
            return
        self.rfile.read(int(length))
        self._answer()

    def do_PUT(self) -> None:
        """Refuse to be written to."""
        self.close_connection = True
        self._refuse_method()

    def do_DELETE(self) -> None:
        """Refuse to be written to."""
        self.do_PUT()

    def do_PATCH(self) -> None:
        """Refuse to be written to."""
        self.do_PUT()

    def log_message(self, format: str, *args: Any) -> None:
        """Write the line of an answer to our own log, without control characters."""
        LOG.debug("%s %s", self.client_address[0], (format % args).encode("ascii", "backslashreplace").decode())

    def _refuse_method(self) -> None:
        text = b"this bundle is read only\n"
        self._send_made(Made(text, _PLAIN, HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"}))

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        try:
            answer = self._found(path, dict(parse_qsl(parts.query)))
        except AbsentError as error:
            answer = serve_hub.refusal(error)
        except ProvisionError as error:  # the manifest became unreadable under a running server
            answer = Made(f"{error}\n".encode(), _PLAIN, HTTPStatus.INTERNAL_SERVER_ERROR)
        if isinstance(answer, Made):
            self._send_made(answer)
        else:
            self._send_stored(answer)

    def _found(self, path: str, query: dict[str, str]) -> Answer:
        for pattern, answer in ROUTES:
            match = pattern.fullmatch(path)
            if match:
                given = {name: value for name, value in match.groupdict().items() if value is not None}
                return answer(self.shelf.index(), query, **given)
        return serve_files.absent(f"page {path}")

    def _send_made(self, answer: Made) -> None:
        self._head(answer.status, answer.kind, len(answer.body), answer.headers)
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _send_stored(self, answer: Stored) -> None:
        size, tag = answer.content.size, f'"{answer.content.sha256}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes", **answer.headers}
        if tag in self.headers.get("If-None-Match", ""):
            self._head(HTTPStatus.NOT_MODIFIED, answer.kind, None, headers)
            return
        if not self.shelf.store.has(answer.content):
            LOG.error("%s is in the manifest and not in the store: run provision bundle verify", answer.content.sha256)
            self._send_made(serve_files.absent(f"bytes of {answer.content.sha256}; run provision bundle verify"))
            return
        asked = self.headers.get("Range") if self.headers.get("If-Range", tag) == tag else None
        found = span(asked, size)
        if found is None:
            gone = {"Content-Range": f"bytes */{size}"}
            self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, _PLAIN, 0, gone)
            return
        start, end, part = found
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self._head(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK, answer.kind, end - start, headers)
        if self.command != "HEAD":
            self._send_bytes(self.shelf.store.path(answer.content.sha256), start, end - start)

    def _head(self, status: HTTPStatus, kind: str, length: int | None, headers: Any) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            plain = re.sub(r"[\r\n]+", " ", value).encode("ascii", "backslashreplace").decode()
            self.send_header(name, plain)
        self.end_headers()

    def _send_bytes(self, file: Path, start: int, count: int) -> None:
        self.wfile.flush()
        try:
            with file.open("rb") as content:
                sent = self.connection.sendfile(content, start, count) if count else 0
        except (ConnectionError, TimeoutError):  # the client went away in the middle
            self.close_connection = True
            return
        if sent != count:  # the file was cut while it was sent: the client must see that the answer is not whole
            LOG.error("%s: %d of %d bytes were there: run provision bundle verify", file.name, sent, count)
            self.close_connection = True


class Server(ThreadingHTTPServer):
    """One thread for each connection; a client that leaves is no fault."""

    daemon_threads = True
    request_queue_size = 256

    def server_bind(self) -> None:
        """Bind without asking for this machine's full name, which takes long where nobody resolves names."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note what a connection died of; by default it would be printed."""
        del request
        LOG.debug("%s: the connection ended: %s", client_address, sys.exception())


def make_server(folder: Path, address: str, port: int) -> Server:
    """Return the server of the bundle in *folder*, bound and not yet running; port 0 lets the system choose."""
    handler = type("BoundHandler", (Handler,), {"shelf": Shelf(folder)})
    try:
        return Server((address, port), handler)
    except OSError as error:
        raise UsageError(
            f"{address}:{port}: {error.strerror}; expected an address of this machine and a free port; give --address "
            "and --port"
        ) from error
