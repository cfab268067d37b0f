"""Hands each situation a host of its lane; a plain one is kept until the end, so that its state is used again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from . import places
from .host import Host
from .schema import DEFAULT_LANE


def _host(place: places.Place) -> Host:
    return Host(place, place.lab / "situations" / place.name)


@pytest.fixture(scope="session")
def plain_host() -> Iterator[Callable[[], Host]]:
    """Yield a function to the plain host that this process holds from its first use until the end of all situations."""
    kept: list[Host] = []
    with contextlib.ExitStack() as holds:

        def get() -> Host:
            if not kept:
                kept.append(_host(holds.enter_context(places.held(DEFAULT_LANE))))
            return kept[0]

        yield get


@pytest.fixture
def host_of(plain_host: Callable[[], Host]) -> Iterator[Callable[[str], Host]]:
    """Yield a function from a lane to a host of it.

    There is one host per lane: it is given back after each situation, because another process may wait for it.
    """
    with contextlib.ExitStack() as lent:

        def get(lane: str) -> Host:
            return plain_host() if lane == DEFAULT_LANE else _host(lent.enter_context(places.held(lane)))

        yield get
