"""Pack a tree into a self-extracting `.run` file whose bytes are the same on every machine."""

import hashlib
import io
import re
import struct
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

# 2026-01-01T00:00:00Z: any constant does, the clock of the builder must not show.
MTIME = 1767225600
PLACEHOLDER = re.compile(r"@([A-Z0-9_]+)@")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace every `@NAME@` by its value; a name without value is a KeyError."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


def filler(seed: str, size: int) -> bytes:
    """Return *size* bytes that look like an image and depend on *seed* only."""
    return hashlib.shake_256(seed.encode()).digest(size)


def write(target: Path, content: bytes, mode: int) -> Path:
    """Write *content* to *target* in one step; leave the file alone when it has that content already."""
    if not target.is_file() or target.read_bytes() != content:
        draft = target.with_name(f".{target.name}.partial")
        draft.write_bytes(content)
        draft.replace(target)
    target.chmod(mode)
    return target


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return an uncompressed tar of *files* (path to content): sorted, root-owned, one fixed time.

    A file that starts with `#!` is executable; the mode in the checkout does not count.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size = len(files[path])
            entry.mode = 0o755 if files[path].startswith(b"#!") else 0o644
            entry.mtime = MTIME
            entry.uname = entry.gname = "root"
            tar.addfile(entry, io.BytesIO(files[path]))
    return buffer.getvalue()


def gzip_stored(content: bytes) -> bytes:
    """Return *content* as a gzip file without compression: how compressors shrink differs between machines."""
    blocks = [content[start : start + 0xFFFF] for start in range(0, len(content), 0xFFFF)] or [b""]
    deflated = b"".join(
        struct.pack("<BHH", number == len(blocks) - 1, len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks)
    )
    header = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\x03"
    return header + deflated + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


def pack(header: str, files: Mapping[str, bytes], values: Mapping[str, str]) -> bytes:
    """Return header script and archive as one `.run` file.

    Besides *values* the header may use SHA256 and SIZE (of the archive) and SKIP (its own lines plus one).
    """
    payload = archive(files)
    own = {"SHA256": hashlib.sha256(payload).hexdigest(), "SIZE": str(len(payload))}
    # The count of lines has to be known after the help text is in, and is itself a value without a line break.
    lines = fill(header, {**values, **own, "SKIP": "0"}).count("\n")
    return fill(header, {**values, **own, "SKIP": str(lines + 1)}).encode() + payload
