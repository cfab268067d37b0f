"""One gRPC call with an empty request, without a gRPC library: just enough HTTP/2 to ask Ray's GCS and hear it.

HTTP/2 is RFC 9113, its header coding RFC 7541, messages with their five bytes in front are "gRPC over HTTP/2".
Headers of the answer are not decoded: a whole message is the success, anything else is a failure.
"""

from __future__ import annotations

import socket
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
FRAME_BYTES, PREFIX_BYTES = 9, 5
INITIAL_WINDOW = 4
WINDOW_BYTES = 1 << 24
SHORT = 127  # the longest text whose length is one byte in a header


class GrpcError(Exception):
    """There is no answer, or none that is understood; the text says why."""


def call(host: str, port: int, method: str, timeout_seconds: float) -> bytes:
    """Return the message that *method* (/package.Service/Method) answers to an empty request. Raises GrpcError."""
    limit = time.monotonic() + timeout_seconds
    try:
        connection = socket.create_connection((host, port), timeout_seconds)
        try:
            connection.sendall(_question(host, port, method))
            return _answer(connection, limit)
        finally:
            connection.close()
    except OSError as error:
        raise GrpcError(error.strerror or str(error) or "no answer") from error


def _question(host: str, port: int, method: str) -> bytes:
    settings = struct.pack(">HI", INITIAL_WINDOW, WINDOW_BYTES)
    header = b"\x83\x86"  # :method POST, :scheme http
    header += b"\x04" + _text(method) + b"\x01" + _text("%s:%d" % (host, port))
    header += b"\x00" + _text("content-type") + _text("application/grpc") + b"\x00" + _text("te") + _text("trailers")
    empty = b"\0" * PREFIX_BYTES
    return (
        PREFACE
        + _frame(SETTINGS, 0, 0, settings)
        + _frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW_BYTES))
        + _frame(HEADERS, END_HEADERS, 1, header)
        + _frame(DATA, END_STREAM, 1, empty)
    )


def _text(text: str) -> bytes:
    raw = text.encode("ascii")
    if len(raw) >= SHORT:
        raise GrpcError("%r is too long for a header" % text)
    return bytes([len(raw)]) + raw


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _answer(connection: socket.socket, limit: float) -> bytes:
    data = b""
    for kind, flags, stream, payload in _frames(connection, limit):
        if kind == SETTINGS and not flags & ACK:
            _acknowledge(connection, _frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            _acknowledge(connection, _frame(PING, ACK, 0, payload))
        elif kind == DATA and stream == 1:
            data += payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
        if len(data) >= PREFIX_BYTES:
            size = struct.unpack(">I", data[1:PREFIX_BYTES])[0]
            if data[0] == 0 and len(data) >= PREFIX_BYTES + size:
                return data[PREFIX_BYTES : PREFIX_BYTES + size]
        if kind in {RESET, GOAWAY} or (stream == 1 and kind in {DATA, HEADERS} and flags & END_STREAM):
            break
    raise GrpcError("the call was refused")


def _acknowledge(connection: socket.socket, frame: bytes) -> None:
    try:
        connection.sendall(frame)
    except OSError:
        return  # it has closed already; its answer may be here nevertheless


def _frames(connection: socket.socket, limit: float) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield (kind, flags, stream, payload) of every frame until the server closes; raises OSError when time is up."""
    held = b""
    while True:
        while len(held) < FRAME_BYTES or len(held) < FRAME_BYTES + struct.unpack(">I", b"\0" + held[:3])[0]:
            connection.settimeout(max(limit - time.monotonic(), 0.001))
            piece = connection.recv(1 << 16)
            if not piece:
                return
            held += piece
        size = struct.unpack(">I", b"\0" + held[:3])[0]
        kind, flags, stream = struct.unpack(">BBI", held[3:FRAME_BYTES])
        yield kind, flags, stream & 0x7FFFFFFF, held[FRAME_BYTES : FRAME_BYTES + size]
        held = held[FRAME_BYTES + size :]
