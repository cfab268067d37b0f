"""BitTorrent without the internet: a torrent file of our files, and a tracker in the origin's namespace."""

from __future__ import annotations

import functools
import hashlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .lab import Lab

PIECE = 1 << 20
START_SECONDS = 30.0


def encode(value: Any) -> bytes:
    """Return *value* as BitTorrent writes it."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, dict):
        return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"
    return b"l" + b"".join(encode(each) for each in value) + b"e"


def place(lab: Lab) -> Path:
    return lab.root / "set.torrent"


def prepare(lab: Lab, port: int) -> None:
    """Write the torrent file and start the tracker; where the clients ask must be the origin's address."""
    announce = f"http://{lab.net.address(0)}:{port}/announce"
    about = {
        "files": [{"length": size, "path": [name]} for name, size, _ in lab.files.files],
        "name": "data",
        "piece length": PIECE,
        "pieces": pieces(lab.files.folder, tuple(name for name, _, _ in lab.files.files)),
        "private": 1,
    }
    place(lab).write_bytes(encode({"announce": announce, "info": about}))
    tracker = Path(__file__).with_name("tracker.py")
    ready = lab.root / "tracker"
    lab.start(0, [sys.executable, str(tracker), str(port), str(ready)])
    limit = time.monotonic() + START_SECONDS
    while not ready.exists():  # clients that find no tracker ask again only after minutes
        if time.monotonic() > limit:
            raise RuntimeError(f"the tracker does not start: {lab.said(0)}")
        time.sleep(0.05)


@functools.cache
def pieces(folder: Path, names: tuple[str, ...]) -> bytes:
    """Return the sums of all pieces: the files one after the other."""
    data = b"".join((folder / name).read_bytes() for name in names)
    return b"".join(
        hashlib.sha1(data[at : at + PIECE]).digest()  # noqa: S324 - what the protocol says
        for at in range(0, len(data), PIECE)
    )


@functools.cache
def has_libtorrent() -> bool:
    found = subprocess.run(["/usr/bin/python3", "-c", "import libtorrent"], capture_output=True, check=False)
    return found.returncode == 0
