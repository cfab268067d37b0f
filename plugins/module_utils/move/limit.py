"""How fast this host may send, all connections together."""

from __future__ import annotations

import threading
import time

# What may go at once after a pause: long enough for the clock, short enough not to be seen on the wire.
BURST_SECONDS = 0.05


class Limit:
    """A token bucket; a rate of 0 lets everything pass."""

    def __init__(self, mbit: float = 0) -> None:
        """Allow *mbit* megabits a second."""
        self._lock = threading.Lock()
        self._free_at = 0.0
        self.bytes_per_second = 0.0
        self.change(mbit)

    def change(self, mbit: float) -> None:
        """Allow *mbit* megabits a second from now on."""
        self.bytes_per_second = mbit * 1e6 / 8

    def chunk(self, most: int) -> int:
        """Return how much to send in one go: *most*, or less where that would stand in the way of the others."""
        rate = self.bytes_per_second
        return most if not rate else max(4096, min(most, int(rate * BURST_SECONDS)))

    def take(self, count: int) -> None:
        """Wait until *count* bytes may be sent."""
        if not self.bytes_per_second:
            return
        with self._lock:
            now = time.monotonic()
            begin = max(self._free_at, now - BURST_SECONDS)
            self._free_at = begin + count / self.bytes_per_second
            pause = begin - now
        if pause > 0:
            time.sleep(pause)
