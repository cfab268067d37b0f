"""What nobody said: that a folder is shared, that a module is gone, that a route is; nothing wrong stays or waits."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plugins.module_utils.move import client, config
from plugins.module_utils.move.errors import SourceError
from plugins.module_utils.move.files import feed
from plugins.module_utils.move.job import Job
from plugins.module_utils.move.receive import Receive

from .conftest import MEGABYTE, Guard
from .hosts import Host, entries

ONE = {"one.bin": 8 * MEGABYTE}


def test_storage_that_is_shared_and_not_called_so_gets_no_mixture(hosts: Callable[[str], Host], guard: Guard) -> None:
    origin = hosts("origin").fill(ONE).wants(entries(ONE), [], "hold", rate_limit_mbit=10).start()
    first, second = hosts("h1"), hosts("h2")
    second.data = first.data
    guard.over(first, ONE)
    first.wants(entries(ONE), [origin]).start().until(lambda each: each["have"] > MEGABYTE, "received something")
    second.wants(entries(ONE), [origin]).start()
    assert "one.bin.part is written by another host or process" in second.failed()["fault"]
    assert "models[].shared: true" in second.failed()["fault"]
    first.done()
    second.wants(entries(ONE), [origin], asked="once more")
    second.until(lambda each: each["asked"] == "once more" and each["state"] == "done", "found it there")
    time.sleep(0.1)  # a last look of the guard
    assert first.holds(ONE)


def test_agents_end_though_the_one_that_was_to_fetch_is_gone(hosts: Callable[[str], Host]) -> None:
    quick = {"wait_seconds": 2, "idle_seconds": 1}
    origin = hosts("origin").wants(entries(ONE), [], "hold", **quick).start()
    host = hosts("h1").wants(entries(ONE), [origin], **quick).start()
    assert host.failed()["fault"] == "nothing has come for 2 s, although a host says that it will"
    for each in (host, origin):
        assert each.process
        assert each.process.wait(20) == 0


def test_an_upstream_that_cannot_be_understood_any_more_is_passed_by() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"HTTP/1.1 206 x\r\n\r\n")
    answer = client.Answer(ours)
    ours.close()  # its errors are those of a route that is gone, or of a record that was spoilt
    with pytest.raises(SourceError, match="Bad file descriptor"):
        answer.into(memoryview(bytearray(10)))
    theirs.close()


def test_a_long_look_ends_with_its_job_and_nothing_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(bytes(ONE["one.bin"]))
    described = {"name": "m", "folder": str(tmp_path), "mode": "receive", "files": entries(ONE), "upstreams": []}
    job = Job(described, dict(config.DEFAULTS), client.Access("secret"))
    job.stop()
    Receive(job, job.files[0]).run()
    assert (tmp_path / "one.bin").stat().st_size == ONE["one.bin"]
    assert job.files[0].state == "missing"
    assert feed(hashlib.sha256(), str(tmp_path / "one.bin"), job.ended) == MEGABYTE
