"""What is there is used: whole files, parts of an earlier run; what is wrong is not."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import MEGABYTE, SIZES, Guard
from .hosts import LIMIT_SECONDS, Host, content, entries
from .test_chain import line

Make = Callable[[str], Host]
ONE = {"one.bin": 8 * MEGABYTE}


def pair(hosts: Make, sizes: dict[str, int], **settings: Any) -> tuple[Host, Host]:
    first, host = line(hosts, sizes, 1, **settings)
    return first.start(), host


def test_a_part_of_an_earlier_run_is_continued(hosts: Make, guard: Guard) -> None:
    _, host = pair(hosts, ONE)
    guard.over(host, ONE)
    (host.data / "one.bin.part").write_bytes(content("one.bin", ONE["one.bin"])[: 5 * MEGABYTE])
    assert host.start().done()["from"] == {"origin": 3 * MEGABYTE}
    assert host.holds(ONE)


def test_a_killed_agent_goes_on_where_it_was(hosts: Make, guard: Guard) -> None:
    _, host = pair(hosts, ONE, rate_limit_mbit=30)
    guard.over(host, ONE)
    host.start().until(lambda report: report["have"] > 2 * MEGABYTE, "received something")
    host.kill()
    left = (host.data / "one.bin.part").stat().st_size
    assert left > 2 * MEGABYTE
    assert host.start().done()["from"] == {"origin": ONE["one.bin"] - left}
    assert host.holds(ONE)


@pytest.mark.parametrize("size", [5 * MEGABYTE, 8 * MEGABYTE, 9 * MEGABYTE], ids=["short", "full", "too long"])
def test_a_wrong_part_is_found_out_and_nobody_is_blamed_for_it(hosts: Make, guard: Guard, size: int) -> None:
    _, host = pair(hosts, ONE)
    guard.over(host, ONE)
    (host.data / "one.bin.part").write_bytes(bytes(size))
    report = host.start().done()
    assert host.holds(ONE)
    assert report["restarts"] == (size <= ONE["one.bin"])
    assert not any("not asked again" in note for note in report["notes"])


def test_what_is_there_and_right_is_kept_and_served(hosts: Make) -> None:
    first = hosts("h1").fill(SIZES).wants(entries(SIZES), []).start()
    second = hosts("h2").wants(entries(SIZES), [first]).start()
    assert first.done()["from"] == {}
    assert second.done()["from"] == {"h1": sum(SIZES.values())}
    assert second.holds(SIZES)


def test_what_is_there_and_wrong_is_replaced(hosts: Make) -> None:
    _, host = pair(hosts, SIZES)
    host.fill(SIZES)
    (host.data / "a.safetensors").write_bytes(bytes(SIZES["a.safetensors"]))
    (host.data / "b.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    report = host.start().done()
    assert host.holds(SIZES)
    assert report["from"] == {"origin": SIZES["a.safetensors"] + SIZES["b.safetensors"]}


def test_a_file_that_is_known_to_be_right_is_not_read_again(hosts: Make) -> None:
    origin, host = pair(hosts, ONE)
    (host.data / "one.bin").write_bytes(bytes(ONE["one.bin"]))
    host.wants(entries(ONE), [origin], whole=["one.bin"]).start()
    assert host.done()["from"] == {}


def test_a_holder_serves_each_file_as_soon_as_it_is_there(hosts: Make, guard: Guard) -> None:
    origin, host = pair(hosts, SIZES)
    guard.over(host, SIZES)
    hidden = [(origin.data / name, origin.root / str(number)) for number, name in enumerate(SIZES) if SIZES[name]]
    for place, aside in hidden:
        place.rename(aside)
    host.start()
    for place, aside in hidden:
        time.sleep(0.3)
        assert host.report().get("state") != "done"
        aside.rename(place)
    host.done()
    assert host.holds(SIZES)


def test_a_file_with_a_git_sum_only_is_verified_by_it(hosts: Make) -> None:
    data = content("x", 5000)
    right = hashlib.sha1(b"blob 5000\0" + data).hexdigest()  # noqa: S324 - git's own id
    origin = hosts("origin").fill({"x": 5000}).wants([{"path": "x", "size": 5000, "git_sha1": right}], [], "hold")
    good = hosts("h1").wants([{"path": "x", "size": 5000, "sha256": "", "git_sha1": right}], [origin.start()]).start()
    good.done()
    assert good.holds({"x": 5000})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_disk_that_is_too_small_is_told_before_the_first_byte(hosts: Make) -> None:
    _, host = pair(hosts, ONE)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", host.data], check=True)
    try:
        fault = host.start().failed()["fault"]
        assert f"{host.data} has 4194304 bytes free, expected {ONE['one.bin']} for the rest of m: make room" in fault
        assert not list(host.data.iterdir())
    finally:
        host.kill()
        subprocess.run(["umount", host.data], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_disk_that_fills_up_is_told_and_what_has_arrived_is_kept(hosts: Make) -> None:
    _, host = pair(hosts, ONE, rate_limit_mbit=30)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", host.data], check=True)
    try:
        host.start().until(lambda report: report["have"] > MEGABYTE, "received something")
        (host.data / "other").write_bytes(bytes(5 * MEGABYTE))
        assert "one.bin.part: No space left on device; make room there" in host.failed()["fault"]
        assert (host.data / "one.bin.part").stat().st_size > MEGABYTE
        assert not (host.data / "one.bin").exists()
    finally:
        host.kill()
        subprocess.run(["umount", host.data], check=True)


def test_an_agent_without_work_ends(hosts: Make) -> None:
    origin, host = pair(hosts, {"a": 10})
    host.settings["idle_seconds"] = 1
    host.write().start().done()
    limit = time.monotonic() + LIMIT_SECONDS
    while host.process and host.process.poll() is None and time.monotonic() < limit:
        time.sleep(0.1)
    assert host.process
    assert host.process.returncode == 0
    assert host.status()["state"] == "ended"
    assert origin.process
    assert origin.process.poll() is None


def test_a_set_that_comes_later_is_taken_up_and_one_that_goes_is_left(hosts: Make) -> None:
    origin, host = pair(hosts, {"a": 10})
    host.start().done()
    other = origin.root / "other"
    shutil.copytree(origin.data, other)
    (other / "b").write_bytes(content("b", 3000))
    files = entries({"a": 10, "b": 3000})
    origin.settings["sets"].append({**origin.settings["sets"][0], "name": "n", "folder": str(other), "files": files})
    wanted = {**host.settings["sets"][0], "name": "n", "folder": str(host.root / "new"), "files": files}
    host.settings["sets"] = [wanted]
    origin.write()
    host.write().until(lambda report: report["name"] == "n" and report["state"] == "done", "took up the new set")
    assert (host.root / "new/b").read_bytes() == content("b", 3000)


def test_a_set_that_is_held_once_more_is_the_same_to_its_readers(hosts: Make, guard: Guard) -> None:
    origin, host = pair(hosts, ONE, rate_limit_mbit=30)
    guard.over(host, ONE)
    host.start().until(lambda report: report["have"] > MEGABYTE, "received something")
    origin.wants(entries(ONE), [], "hold", asked="again", rate_limit_mbit=30)
    report = host.done()
    assert (report["restarts"], report["from"]) == (0, {"origin": ONE["one.bin"]})
