"""Probes and guards: a part counts as working only when it answers, and a lab of another checkout is left alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound

from tests.lab.site import network, probes, registry
from tests.lab.site.engine import Engine
from tests.lab.site.errors import LabError
from tests.lab.site.layout import Layout, Node

REPLIES = {
    "/": (200, {}, b"mirror"),
    "/v2/_catalog": (200, {}, json.dumps({"repositories": ["a/b"]}).encode()),
    "/v2/a/b/tags/list": (200, {}, json.dumps({"name": "a/b", "tags": ["v1", "v2"]}).encode()),
    "/v2/a/b/manifests/v1": (200, {"Docker-Content-Digest": "sha256:01"}, b""),
    "/v2/a/b/manifests/v2": (200, {"Docker-Content-Digest": "sha256:02"}, b""),
}


class Handler(BaseHTTPRequestHandler):
    """Says what REPLIES has for a path."""

    def do_GET(self) -> None:
        status, headers, body = REPLIES.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Address of a running server, host:port."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()


def engine_with_network(labels: dict[str, str] | None) -> Engine:
    """An engine that has the site's network with *labels*, or does not have it when they are None."""

    def get(_: str) -> Any:
        if labels is None:
            raise NotFound("no such network")
        return SimpleNamespace(attrs={"Labels": labels})

    client = SimpleNamespace(networks=SimpleNamespace(get=get))
    return Engine("unix:///e.sock", ours=False, client=client)  # type: ignore[arg-type]


def test_a_service_that_answers_is_good(server: str) -> None:
    assert probes.http(f"http://{server}/") == probes.Answer(True, "200")


def test_a_service_that_refuses_is_not_good_and_says_what(server: str) -> None:
    answer = probes.http(f"http://{server}/nothing")
    assert not answer.ok
    assert "404 Not Found" in answer.detail


def test_a_service_that_is_gone_is_not_good(server: str) -> None:
    host, _, port = server.partition(":")
    answer = probes.http(f"http://{host}:{int(port) + 1 if int(port) < 65535 else 1}/")
    assert not answer.ok
    assert answer.detail


def test_the_registry_is_read_by_upstream_name(server: str) -> None:
    assert registry.digests(server) == {"quay.io/a/b:v1": "sha256:01", "quay.io/a/b:v2": "sha256:02"}


def test_a_silent_registry_is_named() -> None:
    with pytest.raises(LabError, match=r"the registry at 127.0.0.1:1 does not answer: .*; `lab up` starts it"):
        registry.digests("127.0.0.1:1")


def test_another_host_key_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def stranger(*_: object) -> probes.Answer:
        asked.append(1)
        return probes.Answer(False, "Host key verification failed.")

    monkeypatch.setattr(probes, "ssh", stranger)
    with pytest.raises(
        LabError, match=r"(?s)node1 \(10.77.0.11\) does not let operator in .* docker --host unix:///e.sock exec"
    ):
        probes.wait_for_ssh(Layout(tmp_path), Node(1), "unix:///e.sock")
    assert len(asked) == 1


def test_waiting_ends_when_the_server_lets_the_operator_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = [probes.Answer(False, "refused"), probes.Answer(False, "booting"), probes.Answer(True)]
    monkeypatch.setattr(probes, "ssh", lambda *_: answers.pop(0))
    monkeypatch.setattr(probes.time, "sleep", lambda _: None)
    probes.wait_for_ssh(Layout(tmp_path), Node(1), "unix:///e.sock")
    assert answers == []


def test_ssh_checks_host_keys_and_never_asks(tmp_path: Path) -> None:
    words = probes.ssh_arguments(Layout(tmp_path), Node(1))
    assert {"StrictHostKeyChecking=yes", "BatchMode=yes", f"UserKnownHostsFile={tmp_path}/ssh/known_hosts"} <= set(
        words
    )
    assert words[-1] == "operator@10.77.0.11"


def test_the_lab_of_another_checkout_is_left_alone(tmp_path: Path) -> None:
    engine = engine_with_network({"provision.lab.root": "/elsewhere/.lab"})
    with pytest.raises(LabError, match=r"belongs to the lab in /elsewhere/.lab, .*run `lab down` there first"):
        network.ensure(engine, Layout(tmp_path))
    with pytest.raises(LabError, match=r"belongs to the lab in /elsewhere/\.lab"):
        network.remove(engine, Layout(tmp_path))


def test_our_own_network_is_found(tmp_path: Path) -> None:
    assert network.find(engine_with_network({"provision.lab.root": str(tmp_path)}), Layout(tmp_path)) is not None
    assert network.find(engine_with_network(None), Layout(tmp_path)) is None


def test_a_bridge_of_another_engine_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # the loopback interface stands for a bridge that exists already
    monkeypatch.setattr(network, "BRIDGE", "lo")
    with pytest.raises(LabError, match=r"network interface lo exists, but .* ip link delete lo"):
        network.ensure(engine_with_network(None), Layout(tmp_path))
