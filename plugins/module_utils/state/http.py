"""GET over TCP or a unix socket. http.client alone takes longer to load than all our questions take to answer."""

from __future__ import annotations

import json
import re
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_BYTES = 64 << 20
_URL = re.compile(r"http://(\[[^]/]+\]|[^/:]+)(?::(\d+))?(/.*)?$")


class HttpError(Exception):
    """There is no answer, or none that is HTTP; the text says why."""


def get_url(url: str, timeout_seconds: float) -> tuple[int, bytes]:
    """Return status and body of GET *url* (plain http; the site's proxy is not asked). Raises HttpError."""
    match = _URL.match(url)
    if match is None:
        raise HttpError("%s is not a plain http address" % url)
    host, port, path = match.group(1).strip("[]"), int(match.group(2) or 80), match.group(3) or "/"
    try:
        connection = socket.create_connection((host, port), timeout_seconds)
    except OSError as error:
        raise HttpError(_reason(error, timeout_seconds)) from error
    return _ask(connection, match.group(1), path, timeout_seconds)


def get_socket(socket_path: str, path: str, timeout_seconds: float) -> tuple[int, bytes]:
    """Return status and body of GET *path* from the server behind a unix socket. Raises HttpError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_seconds)
        connection.connect(socket_path)
    except OSError as error:
        connection.close()
        raise HttpError(_reason(error, timeout_seconds)) from error
    return _ask(connection, "localhost", path, timeout_seconds)


def read_json(body: bytes) -> Any:
    """Return the JSON value in *body*. Raises HttpError."""
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except ValueError as error:
        raise HttpError("the answer is not JSON: %s" % error) from error


def _ask(connection: socket.socket, host: str, path: str, timeout_seconds: float) -> tuple[int, bytes]:
    # HTTP/1.0: the server closes when it has said everything, so that no answer comes in chunks.
    question = "GET %s HTTP/1.0\r\nHost: %s\r\nAccept: application/json\r\nConnection: close\r\n\r\n" % (path, host)
    pieces: list[bytes] = []
    size = 0
    try:
        connection.sendall(question.encode("ascii", "replace"))
        while size < MOST_BYTES:
            piece = connection.recv(1 << 16)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
    except OSError as error:
        raise HttpError(_reason(error, timeout_seconds)) from error
    finally:
        connection.close()
    return _answer(b"".join(pieces))


def _answer(raw: bytes) -> tuple[int, bytes]:
    head, mark, body = raw.partition(b"\r\n\r\n")
    first = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if not mark or first is None:
        raise HttpError("the answer is not HTTP: %r" % raw[:40])
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if length is not None and len(body) < int(length.group(1)):
        raise HttpError("the answer ends after %d of %s bytes" % (len(body), length.group(1).decode()))
    return int(first.group(1)), body


def _reason(error: OSError, timeout_seconds: float) -> str:
    if isinstance(error, socket.timeout):
        return "no answer within %.0f s" % timeout_seconds
    return error.strerror or str(error)
