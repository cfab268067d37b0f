"""Members only; encrypted where wanted; no faster than allowed; no path out of the folder."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plugins.module_utils.move.errors import MoveError
from plugins.module_utils.move.files import files_of
from plugins.module_utils.move.tls import context
from tests.bench.distribute.certificate import certificate

from .conftest import MEGABYTE, SIZES
from .hosts import SECRET, Host, entries
from .test_chain import line

Make = Callable[[str], Host]


def talk(host: Host, request: str, source: str = "127.0.0.1") -> str:
    host.until(bool, "started")
    with socket.create_connection(("127.0.0.1", host.port), 5, (source, 0)) as sock:
        sock.sendall(request.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode("latin-1")


@pytest.fixture
def origin(hosts: Make) -> Host:
    return hosts("origin").fill(SIZES).wants(entries(SIZES), [], "hold").start()


def test_a_stranger_is_refused_even_with_the_secret(origin: Host) -> None:
    answer = talk(origin, f"GET /status HTTP/1.1\nX-Move-Secret: {SECRET}", "127.0.0.9")
    assert answer.startswith("HTTP/1.1 403 ")
    assert "127.0.0.9 is not a member" in answer
    assert SIZES.keys().isdisjoint(answer.split())


@pytest.mark.parametrize("header", ["X-Other: 1", "X-Move-Secret: ", "X-Move-Secret: open sesamE"])
@pytest.mark.parametrize("what", ["GET /status", "HEAD /files/x", "GET /files/x", "GET /"])
def test_a_member_without_the_secret_is_refused(origin: Host, what: str, header: str) -> None:
    assert talk(origin, f"{what} HTTP/1.1\n{header}").startswith("HTTP/1.1 401 ")


@pytest.mark.parametrize("path", ["/files/../../../etc/passwd", "/files//etc/passwd", "/etc/passwd", "/files/", "/"])
def test_only_files_of_its_sets_are_given(origin: Host, path: str) -> None:
    assert talk(origin, f"GET {path} HTTP/1.1\nX-Move-Secret: {SECRET}").startswith("HTTP/1.1 404 ")


def test_a_range_beyond_the_end_is_refused(origin: Host) -> None:
    key = entries(SIZES)[0]["sha256"]
    asked = f"GET /files/{key} HTTP/1.1\nX-Move-Secret: {SECRET}\nRange: bytes={SIZES['a.safetensors'] + 1}-"
    assert talk(origin, asked).startswith("HTTP/1.1 416 ")


def test_a_host_with_another_secret_gets_nothing_and_says_why(hosts: Make, origin: Host) -> None:
    host = hosts("h1").wants(entries(SIZES), [origin], secret="of yesterday", grace_seconds=1, give_up_seconds=1)
    assert "answers 401: ['the secret is not the one of this run']" in host.start().failed()["fault"]
    assert not [place for place in host.data.rglob("*") if place.is_file() and place.stat().st_size]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", ".", "..", "a\0b", "x.part"])
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    entry = {"path": path, "size": 1, "sha256": "0" * 64}
    with pytest.raises(MoveError, match=r"is not a path below|which is how unfinished files are called"):
        files_of({"folder": str(tmp_path), "files": [entry], "mode": "receive"})


def test_a_file_that_nobody_can_verify_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MoveError, match=r"^x: has neither sha256 nor git_sha1, expected one: "):
        files_of({"folder": str(tmp_path), "files": [{"path": "x", "size": 1}], "mode": "receive"})


def test_a_link_in_the_place_of_a_part_is_not_followed(hosts: Make, origin: Host, tmp_path: Path) -> None:
    host = hosts("h1").wants(entries(SIZES), [origin])
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (host.data / "a.safetensors.part").symlink_to(victim)
    assert "a.safetensors" in host.start().failed()["fault"]
    assert victim.read_text() == "precious"


def test_encrypted_it_works_as_well(hosts: Make) -> None:
    made = line(hosts, SIZES, 2, tls=dict(certificate()))
    for host in made:
        host.start()
    for host in made[1:]:
        host.done()
        assert host.holds(SIZES)
    assert talk_plain(made[0]) == ""


@pytest.mark.parametrize("begins_in_days", [-2000, 2000], ids=["clock ahead", "clock behind"])
def test_hosts_with_a_wrong_clock_are_members_as_well(hosts: Make, begins_in_days: int) -> None:
    origin, host = line(hosts, {"a": 10}, 1, tls=dict(certificate(begins_in_days)), grace_seconds=1, give_up_seconds=1)
    origin.start()
    host.start().done()
    assert host.holds({"a": 10})


def talk_plain(host: Host) -> str:
    try:
        return talk(host, f"GET /status HTTP/1.1\nX-Move-Secret: {SECRET}")
    except ConnectionResetError:
        return ""


def test_who_has_another_certificate_is_no_member(hosts: Make) -> None:
    origin, host = line(hosts, SIZES, 1, tls=dict(certificate()), grace_seconds=1, give_up_seconds=1)
    certificate.cache_clear()
    host.settings["tls"] = certificate()
    origin.start()
    fault = host.write().start().failed()["fault"]
    assert "CERTIFICATE_VERIFY_FAILED" in fault
    assert context(None, str(host.root), serving=True) is None


def test_the_key_of_the_certificate_is_nowhere_but_in_the_configuration(hosts: Make) -> None:
    origin, host = line(hosts, {"a": 10}, 1, tls=dict(certificate()))
    origin.start()
    host.start().done()
    holding = [place.name for place in host.root.rglob("*") if place.is_file() and b"PRIVATE" in place.read_bytes()]
    assert holding == ["agent.json"]
    assert SECRET not in host.log() + (host.state / "status.json").read_text()


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_host_sends_no_faster_than_it_may_to_all_together(hosts: Make, encrypted: bool) -> None:
    sizes = {"one": 4 * MEGABYTE, "two": 4 * MEGABYTE}
    origin = hosts("origin").fill(sizes).wants(entries(sizes), [], "hold", rate_limit_mbit=64)
    two = [hosts(name).wants(entries(sizes), [origin]) for name in ("h1", "h2")]
    if encrypted:
        tls = certificate()
        for host in (origin, *two):
            host.settings["tls"] = tls
            host.write()
    origin.start().until(bool, "started")
    began = time.monotonic()
    for host in two:
        host.start()
    for host in two:
        host.done()
    seconds = time.monotonic() - began
    assert 2.0 < seconds < 6, seconds  # 16 MB at 8 MB a second


def test_a_port_that_is_taken_is_said(hosts: Make) -> None:
    host = hosts("h1").wants([], [], "hold")
    with socket.socket() as other:
        other.bind(("127.0.0.1", host.port))
        other.listen()
        host.start()
        assert host.process
        assert host.process.wait(20) == 1
    fault = host.status()["fault"]
    assert f"port {host.port} cannot be listened on: " in fault
    assert "moves.port" in fault
