"""A peer that changes what it passes on: stands before a real agent and alters bytes in the files that it hands out."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .hosts import Host

CHUNK = 65536


class Liar(socketserver.ThreadingTCPServer):
    """Forwards to *behind*; the byte at *offset* of every body that reaches it is flipped."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, behind: Host, offset: int) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.behind, self.offset = behind, offset
        self.name = "liar"
        self.port = self.server_address[1]
        self.lies = 0

    def described(self) -> dict[str, Any]:
        return {"name": self.name, "address": "127.0.0.1", "port": self.port}


class Forward(socketserver.BaseRequestHandler):
    """One connection."""

    server: Liar

    def handle(self) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            more = self.request.recv(CHUNK)
            if not more:
                return
            asked += more
        try:
            with socket.create_connection(("127.0.0.1", self.server.behind.port), 3) as real:
                real.sendall(asked)
                self._forward(real, lie=asked.startswith(b"GET /files/"))
        except OSError:
            return

    def _forward(self, real: socket.socket, lie: bool) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += real.recv(1)
        self.request.sendall(head)
        at = 0
        for chunk in iter(lambda: real.recv(CHUNK), b""):
            place = self.server.offset - at
            if lie and b" 206 " in head and 0 <= place < len(chunk):
                self.server.lies += 1
                self.request.sendall(chunk[:place] + bytes([chunk[place] ^ 0xFF]) + chunk[place + 1 :])
            else:
                self.request.sendall(chunk)
            at += len(chunk)


@contextmanager
def lying(behind: Host, offset: int = 1000) -> Iterator[Liar]:
    with Liar(behind, offset) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
