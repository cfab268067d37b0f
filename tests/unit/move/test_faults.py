"""Hosts die, stand still, are slow and lie: the others finish, and nothing wrong is ever in its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import MEGABYTE, SIZES, Guard
from .hosts import Host, entries
from .liar import lying
from .test_chain import line

Make = Callable[[str], Host]
BIG = {"one.safetensors": 16 * MEGABYTE, "two.safetensors": 8 * MEGABYTE}
# 24 MB take about four seconds: long enough to strike in the middle
PACE = 50


def started(made: list[Host], guard: Guard, sizes: dict[str, int]) -> list[Host]:
    for host in made[1:]:
        guard.over(host, sizes)
    for host in made:
        host.start()
    return made


def some(report: dict[str, object]) -> bool:
    return 3 * MEGABYTE < int(str(report["have"])) < 20 * MEGABYTE


def test_a_host_that_dies_in_the_middle_is_passed_by(hosts: Make, guard: Guard) -> None:
    made = started(line(hosts, BIG, 4, rate_limit_mbit=PACE), guard, BIG)
    made[3].until(some, "received something")
    made[2].kill()
    for host in (made[1], made[3], made[4]):
        report = host.done()
        assert host.holds(BIG)
        assert report["restarts"] == 0
    assert set(made[3].report()["from"]) == {"h1", "h2"}
    assert any("from h1 now instead of h2" in note for note in made[3].report()["notes"])
    assert set(made[4].report()["from"]) == {"h3"}


def test_the_origin_may_die_once_one_whole_copy_is_out(hosts: Make, guard: Guard) -> None:
    made = line(hosts, BIG, 3)
    for host in made[1:]:
        host.settings["rate_limit_mbit"] = PACE
        host.write()
    started(made, guard, BIG)
    made[1].done()
    assert made[3].until(bool, "started")["state"] == "receiving"
    made[0].kill()
    for host in made[2:]:
        assert host.done()["restarts"] == 0
        assert host.holds(BIG)


def test_the_only_copy_may_be_further_down_the_line(hosts: Make, guard: Guard) -> None:
    late, whole = hosts("h1"), hosts("h2").fill(BIG)
    whole.wants(entries(BIG), [], "hold")
    late.wants(entries(BIG), [{"name": "origin", "address": "127.0.0.1", "port": hosts("origin").port},
                              {"name": "h2", "address": "127.0.0.1", "port": whole.port, "behind": True}],
               grace_seconds=1)  # fmt: skip
    started([whole, late], guard, BIG)
    assert late.done()["from"] == {"h2": sum(BIG.values())}
    assert late.holds(BIG)


def test_a_host_that_freezes_is_passed_by(hosts: Make, guard: Guard) -> None:
    made = started(line(hosts, BIG, 3, rate_limit_mbit=PACE, give_up_seconds=20), guard, BIG)
    made[2].until(some, "received something")
    made[1].freeze()
    for host in made[2:]:
        assert host.done()["restarts"] == 0
        assert host.holds(BIG)
    assert "origin" in made[2].report()["from"]
    assert set(made[3].report()["from"]) == {"h2"}, "who waits for a host that heals stays with it"


def test_a_slow_host_is_passed_by(hosts: Make, guard: Guard) -> None:
    made = line(hosts, BIG, 3, look_seconds=0.4)
    made[0].settings["rate_limit_mbit"] = 8 * PACE
    made[1].settings["rate_limit_mbit"] = 4  # would take fifty seconds
    for host in made[:2]:
        host.write()
    started(made, guard, BIG)
    for host in made[1:]:
        host.done()
        assert host.holds(BIG)
    report = made[2].report()
    assert report["from"]["origin"] > report["from"]["h1"]
    assert any(note.startswith("h1 is slow (") for note in report["notes"]), report
    assert set(made[3].report()["from"]) == {"h2"}


def test_who_is_slow_only_because_all_are_is_asked_again(hosts: Make) -> None:
    made = line(hosts, BIG, 2, look_seconds=0.25, slow_mbit=10000)
    made[0].settings["rate_limit_mbit"] = PACE // 2
    made[0].write()
    for host in made:
        host.start()
    report = made[2].done()
    assert report["from"]["h1"] > report["from"].get("origin", 0)
    assert any(note.startswith("h1 is slow (") for note in report["notes"]), report
    assert "origin is no faster; h1 is asked again" in report["notes"]


@pytest.mark.parametrize("offset", [0, 5 * MEGABYTE], ids=["first byte", "in the middle"])
def test_who_changes_a_file_is_named_and_not_asked_again(hosts: Make, guard: Guard, offset: int) -> None:
    origin = hosts("origin").fill(SIZES).wants(entries(SIZES), [], "hold")
    with lying(origin, offset) as liar:
        first = hosts("h1").wants(entries(SIZES), [liar.described(), origin], streams=1)
        second = hosts("h2").wants(entries(SIZES), [first, origin], streams=1)
        started([origin, first, second], guard, SIZES)
        report = first.done()
        assert first.holds(SIZES)
        assert liar.lies == 1
        assert report["restarts"] == 1
        assert any(note.startswith("liar sent a.safetensors: checksum ") for note in report["notes"]), report
        assert report["from"]["liar"] == SIZES["a.safetensors"]
    # the one behind was told in time: it blames nobody, and has all from its neighbour
    report = second.done()
    assert second.holds(SIZES)
    assert report["restarts"] == 0
    assert set(report["from"]) == {"h1"}


def test_a_lie_in_a_part_of_several_senders_is_found_out(hosts: Make, guard: Guard) -> None:
    origin = hosts("origin").fill(BIG).wants(entries(BIG), [], "hold", rate_limit_mbit=PACE)
    with lying(origin) as liar:
        host = hosts("h1").wants(entries(BIG), [liar.described(), origin], streams=1)
        started([origin, host], guard, BIG)
        host.until(some, "received something")
        liar.server_close()  # the liar is gone after the lie: the rest comes from the origin
        liar.shutdown()
        origin.kill()
        origin.start()
        report = host.done()
    assert host.holds(BIG)
    assert report["restarts"] == 1
    assert any("parts came from liar, origin" in note for note in report["notes"]), report


def test_when_only_liars_are_left_it_fails_and_says_who(hosts: Make, guard: Guard) -> None:
    origin = hosts("origin").fill(SIZES).wants(entries(SIZES), [], "hold")
    with lying(origin) as liar:
        host = hosts("h1").wants(entries(SIZES), [liar.described()])
        started([origin, host], guard, SIZES)
        report = host.failed()
    assert "nobody is left to ask: liar (127.0.0.1): sent " in report["fault"]
    assert not (host.data / "a.safetensors").exists()


def test_when_nobody_answers_it_fails_and_says_what_was_seen(hosts: Make) -> None:
    host = hosts("h1").wants(entries(SIZES), [hosts("origin")], grace_seconds=1, give_up_seconds=1).start()
    report = host.failed()
    assert "nobody could give more for " in report["fault"]
    assert "origin (127.0.0.1): [Errno 111] Connection refused" in report["fault"]


def test_a_line_behind_a_dead_origin_gives_up_together(hosts: Make) -> None:
    made = line(hosts, SIZES, 3, grace_seconds=1, give_up_seconds=3)
    for host in made[1:]:
        host.start()
    assert all("nobody could give more" in host.failed()["fault"] for host in made[1:])
    assert made[3].report()["seconds"] - made[1].report()["seconds"] < 4
