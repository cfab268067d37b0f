"""Read protocol buffers by field number: the wire format, without descriptions of messages."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (number, value) of every field: an int for a varint, the raw bytes of all else. Raises ValueError."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield key >> 3, value
            continue
        if kind == LENGTH:
            size, place = _varint(message, place)
        elif kind in {FIXED64, FIXED32}:
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError("wire type %d" % kind)
        if place + size > len(message):
            raise ValueError("the message breaks off")
        yield key >> 3, message[place : place + size]
        place += size


def messages(message: bytes, number: int) -> list[bytes]:
    """Return the values of the field *number* that are messages or texts."""
    return [value for found, value in fields(message) if found == number and isinstance(value, bytes)]


def numbers_by_name(message: bytes, number: int) -> dict[str, float]:
    """Return the field *number*, a map of texts to doubles."""
    found = {}
    for entry in messages(message, number):
        name, value = "", 0.0
        for part, raw in fields(entry):
            if part == 1 and isinstance(raw, bytes):
                name = raw.decode("utf-8", "replace")
            elif part == 2 and isinstance(raw, bytes) and len(raw) == 8:
                value = float(struct.unpack("<d", raw)[0])
        found[name] = value
    return found


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message):
            raise ValueError("the message breaks off")
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return value, place
