"""Gives files to members: what is there at once, what still arrives as it arrives."""

from __future__ import annotations

import errno
import hmac
import json
import os
import re
import socket
import socketserver
import ssl
import struct
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from .client import SECRET_HEADER
from .files import FAILED, WHOLE, File
from .limit import Limit

HOLD_SECONDS = 1.5  # how long a request for what is not there yet waits; under the asker's patience
SEND_SECONDS = 30
SEND_CHUNK = 4 << 20
READ_CHUNK = 1 << 18  # with encryption the bytes have to come through here
RANGE = re.compile(r"bytes=(\d+)-$")
ENDED = (errno.EPIPE, errno.ECONNRESET, errno.EAGAIN, errno.ETIMEDOUT, errno.ENOTCONN)


class Shelf:
    """What the server shares with the agent: who may ask, and for what."""

    def __init__(self, limit: Limit) -> None:
        """Start with nothing to give and nobody to give it to."""
        self.limit = limit
        self.secret = ""
        self.members: Set[str] = set()
        self.tls: Optional[ssl.SSLContext] = None
        self.files: Dict[str, List[File]] = {}
        self.instance = ""
        self.status: Callable[[], Dict[str, Any]] = dict
        self.hope: Callable[[str], float] = lambda _: 0.0
        self.asked: Callable[[], None] = lambda: None
        self.sent: Callable[[int], None] = lambda _: None

    def find(self, key: str) -> Optional[File]:
        """Return the file with *key* of which most can be read."""
        return max(self.files.get(key, []), key=lambda file: (file.state != FAILED, file.readable()), default=None)


class Server(socketserver.ThreadingMixIn, HTTPServer):
    """One thread a connection; encryption starts in that thread, so that nobody can hold up the others."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: Tuple[str, int], shelf: Shelf) -> None:
        """Listen on *address*; an empty host is every address of both families where the system has both."""
        self.shelf = shelf
        host = address[0]
        if ":" in host or (not host and socket.has_ipv6):
            self.address_family = socket.AF_INET6
        try:
            super().__init__(address, Handler)
        except OSError as error:
            if self.address_family == socket.AF_INET or host or error.errno == errno.EADDRINUSE:
                raise
            self.address_family = socket.AF_INET
            super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without asking the name service who we are."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Encrypt where that is wanted, then answer."""
        request.settimeout(SEND_SECONDS)
        tls = self.shelf.tls
        if tls:
            try:
                request = tls.wrap_socket(request, server_side=True)
            except (OSError, ValueError):
                return
        Handler(request, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of what should not be: that a reader went is not worth a word."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one member."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self) -> None:
        """Say how much of a file is there."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Give a file, or the status."""
        self._answer(body=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the status file tells what was moved."""

    def _answer(self, body: bool) -> None:
        self.close_connection = True
        shelf = self.server.shelf
        address = self.client_address[0]
        address = address[7:] if address.startswith("::ffff:") else address
        if address not in shelf.members:
            self._say(403, f"{address} is not a member: the agent answers the hosts of its site and nobody else")
            return
        if not shelf.secret or not hmac.compare_digest(
            self.headers.get(SECRET_HEADER, "").encode(), shelf.secret.encode()
        ):
            self._say(401, "the secret is not the one of this run")
            return
        if self.path == "/status":
            self._say(200, json.dumps(shelf.status()))
            return
        file = shelf.find(self.path[len("/files/") :]) if self.path.startswith("/files/") else None
        if file is None:
            self._say(404, "this host was not asked to have it")
        elif body:
            shelf.asked()
            self._give(file)
        else:
            self._say(200, "", file)

    def _say(self, code: int, text: str, file: Optional[File] = None) -> None:
        content = text.encode()
        self.send_response(code)
        if file is not None:
            self.send_header("X-Move-State", file.state)
            self.send_header("X-Move-Have", str(file.readable()))
            self.send_header("X-Move-Hope", "%.1f" % self.server.shelf.hope(file.key))
            self._common(file)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _common(self, file: File) -> None:
        self.send_header("ETag", f'"{file.generation}"')
        self.send_header("X-Move-Instance", self.server.shelf.instance)
        self.send_header("Connection", "close")

    def _give(self, file: File) -> None:
        found = RANGE.match(self.headers.get("Range") or "bytes=0-")
        start = int(found.group(1)) if found else 0
        generation = file.generation
        wanted = (self.headers.get("If-Match") or "").strip('"')
        if start > file.size:
            self._say(416, f"the file has {file.size} bytes", file)
            return
        if wanted and wanted != generation:
            self._say(412, "begun again since", file)
            return
        readable = file.wait_beyond(start, generation, HOLD_SECONDS)
        if readable < 0:
            code = 410 if file.state == FAILED else 412
            self._say(code, "given up" if code == 410 else "begun again since", file)
        elif readable <= start and file.size > start:
            self._say(503, "not here yet", file)
        else:
            self._send(file, generation, start)

    def _send(self, file: File, generation: str, start: int) -> None:
        source = file.open()
        try:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{file.size - 1}/{file.size}")
            self.send_header("Content-Length", str(file.size - start))
            self._common(file)
            self.end_headers()
            self.wfile.flush()
            self._pour(file, generation, source, start)
        except OSError as error:
            if error.errno not in ENDED and not isinstance(error, (ssl.SSLError, socket.timeout)):
                raise
        finally:
            os.close(source)

    def _pour(self, file: File, generation: str, source: int, at: int) -> None:
        shelf = self.server.shelf
        sock = self.connection
        plain = not isinstance(sock, ssl.SSLSocket)
        if plain:
            # a time limit of the kernel's own: Python's would make the socket one that os.sendfile cannot wait on
            sock.settimeout(None)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
        while at < file.size:
            readable = file.size if file.state == WHOLE else file.wait_beyond(at, generation, HOLD_SECONDS)
            if readable < 0 or file.generation != generation:
                return  # closing early is how the reader learns of it
            if readable <= at and self._gone(sock):
                return
            while at < readable:
                count = shelf.limit.chunk(min(readable - at, SEND_CHUNK if plain else READ_CHUNK))
                shelf.limit.take(count)
                sent = os.sendfile(sock.fileno(), source, at, count) if plain else _copy(sock, source, at, count)
                if not sent:
                    return  # the file is shorter than it was
                at += sent
                shelf.sent(sent)
                shelf.asked()

    @staticmethod
    def _gone(sock: socket.socket) -> bool:
        """Return whether the reader has left meanwhile: it never sends anything after its request."""
        if isinstance(sock, ssl.SSLSocket):
            return False  # cannot be looked into without reading; the next bytes will tell
        try:
            return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True


def _copy(sock: socket.socket, source: int, at: int, count: int) -> int:
    data = os.pread(source, count, at)
    sock.sendall(data)
    return len(data)
