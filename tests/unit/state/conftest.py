"""Servers that answer as it is written down, each on a socket of its own, gone after the test."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Reply = Callable[[bytes], bytes | None]
Address = tuple[str, int] | str


def answer(server: socket.socket, reply: Reply) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            said = reply(connection.recv(1 << 16))
            if said is None:
                connection.recv(1)  # keep silent until the other side gives up
            else:
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass  # a close with unread bytes would throw away what was sent


@contextlib.contextmanager
def serving(family: int, address: Address, reply: Reply) -> Iterator[Address]:
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind(address)
    server.listen()
    threading.Thread(target=answer, args=(server, reply), daemon=True).start()
    try:
        yield server.getsockname()
    finally:
        server.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], int]]:
    """Return a function that starts a TCP server on loopback and returns its port."""
    with contextlib.ExitStack() as stack:
        yield lambda reply: int(stack.enter_context(serving(socket.AF_INET, ("127.0.0.1", 0), reply))[1])


@pytest.fixture
def serve_unix(tmp_path: Path) -> Iterator[Callable[[Reply], str]]:
    """Return a function that starts a server on a unix socket and returns its path."""
    path = str(tmp_path / "engine.sock")
    with contextlib.ExitStack() as stack:

        def start(reply: Reply) -> str:
            stack.enter_context(serving(socket.AF_UNIX, path, reply))
            return path

        yield start
