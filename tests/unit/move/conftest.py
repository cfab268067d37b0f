"""Hosts that end with the test, and a watch over what stands at final paths meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .hosts import Host, content

MEGABYTE = 1 << 20
SIZES = {"a.safetensors": 9 * MEGABYTE, "b.safetensors": 7 * MEGABYTE + 3, "sub folder/c d.json": 1234, "empty.txt": 0}


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Callable[[str], Host]]:
    """Make a host; whatever it runs ends with the test."""
    made: list[Host] = []

    def make(name: str) -> Host:
        made.append(Host(name, tmp_path))
        return made[-1]

    yield make
    for host in made:
        host.kill()


class Guard:
    """Looks all the time whether something stands at a final path that is not what belongs there."""

    def __init__(self) -> None:
        self.places: dict[Path, bytes] = {}
        self.wrong: list[str] = []
        self.looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def over(self, host: Host, sizes: dict[str, int]) -> None:
        self.places |= {host.data / name: content(name, size) for name, size in sizes.items()}

    def _watch(self) -> None:
        while not self._over.is_set():
            self.looks += 1
            for place, wanted in list(self.places.items()):
                try:
                    if place.read_bytes() != wanted:
                        self.wrong.append(str(place))
                except FileNotFoundError:
                    continue
            time.sleep(0.02)

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture
def guard() -> Iterator[Guard]:
    """Fail the test when an unverified file ever stood at a final path."""
    made = Guard()
    yield made
    made.end()
    assert made.looks > 0
    assert not made.wrong, made.wrong
