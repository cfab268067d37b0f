"""Files go down a line of hosts: whole, verified, once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from .conftest import SIZES, Guard
from .hosts import Host, entries

Make = Callable[[str], Host]
LINE = 4


def line(hosts: Make, sizes: dict[str, int], count: int = LINE, **settings: Any) -> list[Host]:
    """Return an origin that has the files and *count* hosts that want them, each from all before it."""
    made = [hosts("origin").fill(sizes).wants(entries(sizes), [], "hold", **settings)]
    for number in range(1, count + 1):
        made.append(hosts(f"h{number}").wants(entries(sizes), made[::-1], **settings))
    return made


def test_every_host_has_every_file_and_the_origin_sends_each_once(hosts: Make, guard: Guard) -> None:
    made = line(hosts, SIZES)
    for host in made[1:]:
        guard.over(host, SIZES)
    for host in made:
        host.start()
    total = sum(SIZES.values())
    for before, host in pairwise(made):
        report = host.done()
        assert host.holds(SIZES)
        assert report["from"] == {before.name: total}
        assert report["restarts"] == 0
    made[0].until(lambda _: made[0].status()["sent"] == total, "sent every byte once")
