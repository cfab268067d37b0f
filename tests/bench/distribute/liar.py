"""An agent that changes what it passes on: `liar.py agent.pyz CONFIG`; its own copies stay right."""

from __future__ import annotations

import os
import sys

SPACING = 4 << 20


def changed(target: int, source: int, offset: int, count: int) -> int:
    """Send as os.sendfile does, a byte altered in every few megabytes."""
    data = bytearray(os.pread(source, min(count, 1 << 18), offset))
    first = -offset % SPACING
    if first < len(data):
        data[first] ^= 0xFF
    return os.write(target, data)


if __name__ == "__main__":
    os.sendfile = changed  # type: ignore[assignment]
    sys.path.insert(0, sys.argv[1])
    from move.agent import main  # type: ignore[import-not-found]

    sys.exit(main(sys.argv[2:]))
