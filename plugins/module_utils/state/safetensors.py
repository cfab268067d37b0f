"""Is a safetensors file whole? Its header says how long it has to be, so the data need not be read."""

from __future__ import annotations

import json
import os
import struct

LENGTH_BYTES = 8
MOST_HEADER_BYTES = 100 << 20
POINTER = b"version https://git-lfs.github.com/spec/"


def fault(path: str) -> tuple[str, int]:
    """Return what is wrong with the file ("" is nothing) and how many bytes it should have (0 is unknown)."""
    try:
        size = os.path.getsize(path)
        expected = expected_bytes(path, size)
    except FileNotFoundError:
        return "missing", 0
    except OSError as error:
        return error.strerror or str(error), 0
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return str(error) if type(error) is ValueError else "the header is not what safetensors writes", 0
    return ("%d bytes, expected %d" % (size, expected) if size != expected else ""), expected


def expected_bytes(path: str, size: int) -> int:
    """Return how long the file must be by its own header. Raises ValueError when it has none, OSError."""
    if is_pointer(path):
        raise ValueError("a git-lfs pointer, not the file itself")
    with open(path, "rb") as source:
        head = source.read(LENGTH_BYTES)
        if len(head) < LENGTH_BYTES:
            raise ValueError("%d bytes, shorter than the smallest header" % size)
        length = int(struct.unpack("<Q", head)[0])
        if length > MOST_HEADER_BYTES:
            raise ValueError("not safetensors: it gives %d bytes for its header" % length)
        if length > size - LENGTH_BYTES:
            raise ValueError("it breaks off inside its header: %d bytes of %d" % (size, LENGTH_BYTES + length))
        tensors = json.loads(source.read(length).decode("utf-8"))
    ends = [int(entry["data_offsets"][1]) for name, entry in tensors.items() if name != "__metadata__"]
    return LENGTH_BYTES + length + max(ends or [0])


def is_pointer(path: str) -> bool:
    """Return whether *path* is a git-lfs pointer in place of a file. Raises OSError."""
    with open(path, "rb") as source:
        return source.read(len(POINTER)) == POINTER
