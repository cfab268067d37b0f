"""Hands each situation a host of its lane: one that this process keeps, so that its state is used again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from . import places
from .host import Host
from .schema import DEFAULT_LANE


@pytest.fixture(scope="session")
def host_of() -> Iterator[Callable[[str], Host]]:
    """Yield a function from a lane to the host of it that this process holds until its end."""
    kept: dict[str, Host] = {}
    with contextlib.ExitStack() as holds:
        lent = contextlib.ExitStack()

        def get(lane: str) -> Host:
            if lane not in kept:
                if lane != DEFAULT_LANE:  # one host per lane: another process may wait for the one of before
                    lent.close()
                    for other in [name for name in kept if name != DEFAULT_LANE]:
                        del kept[other]
                place = (holds if lane == DEFAULT_LANE else lent).enter_context(places.held(lane))
                kept[lane] = Host(place, place.lab / "situations" / place.name)
            return kept[lane]

        yield get
        lent.close()
