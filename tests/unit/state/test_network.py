"""What is asked over sockets: HTTP, Docker Engine, Ray's GCS; with servers that misbehave in every way."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from plugins.module_utils.state import docker, grpc, http, services

Serve = Callable[[Callable[[bytes], "bytes | None"]], Any]


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_get_returns_status_and_body(serve: Serve) -> None:
    port = serve(lambda question: ok(question.split(b"\r\n")[0]))
    assert http.get_url(f"http://127.0.0.1:{port}/v1/x?y=1", 2) == (200, b"GET /v1/x?y=1 HTTP/1.0")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "ends after 3 of 9 bytes"),
        (None, "no answer within"),
    ],
    ids=["other_protocol", "closed", "broken_off", "silent"],
)
def test_an_answer_that_is_none_is_refused(serve: Serve, said: bytes | None, reason: str) -> None:
    port = serve(lambda _: said)
    with pytest.raises(http.HttpError, match=reason):
        http.get_url(f"http://127.0.0.1:{port}/", 0.3)


def test_a_port_where_nobody_listens_is_refused() -> None:
    with pytest.raises(http.HttpError, match="refused"):
        http.get_url("http://127.0.0.1:1/", 1)


def test_another_scheme_is_refused() -> None:
    with pytest.raises(http.HttpError, match="plain http"):
        http.get_url("https://127.0.0.1/", 1)


def probe(serve: Serve, answers: dict[bytes, bytes]) -> dict[str, Any]:
    port = serve(lambda question: answers[question.split()[1]])
    base = f"http://127.0.0.1:{port}"
    return dict(services.probe({"health_url": base + "/health", "models_url": base + "/v1/models"}))


def test_a_healthy_service_names_its_models(serve: Serve) -> None:
    models = json.dumps({"data": [{"id": "tiny"}]}).encode()
    found = probe(serve, {b"/health": ok(b""), b"/v1/models": ok(models)})
    assert found == {"health": 200, "models": ["tiny"], "error": ""}


def test_an_unhealthy_service_is_not_asked_for_models(serve: Serve) -> None:
    found = probe(serve, {b"/health": b"HTTP/1.1 503 Service Unavailable\r\n\r\n"})
    assert found["health"] == 503
    assert "/health gives status 503" in found["error"]


def test_a_healthy_service_with_a_strange_list_says_so(serve: Serve) -> None:
    found = probe(serve, {b"/health": ok(b""), b"/v1/models": ok(b"<html>")})
    assert found["health"] == 200
    assert "not JSON" in found["error"]


ENGINE = {
    b"/info": {"ServerVersion": "20.10.24", "DefaultRuntime": "runc", "Runtimes": {"runc": {"path": "runc"}}},
    b"/images/json": [{"Id": "sha256:a", "RepoTags": ["x:1"], "RepoDigests": ["x@sha256:d"], "Size": 5}],
    b"/images/x:1/json": {"Architecture": "arm64"},
    b"/containers/json?all=1": [{"Id": "c1", "Names": ["/one"], "Image": "x:1", "State": "running", "Labels": {}}],
    b"/containers/c1/json": {"State": {"Pid": 7}, "HostConfig": {"Privileged": True}},
}


def observe(serve_unix: Serve, monkeypatch: pytest.MonkeyPatch, answers: dict[bytes, Any]) -> dict[str, Any]:
    def reply(question: bytes) -> bytes:
        path = question.split()[1]
        return ok(json.dumps(answers[path]).encode()) if path in answers else b"HTTP/1.1 500 Oops\r\n\r\n{}"

    monkeypatch.setattr(docker, "SOCKETS", (serve_unix(reply),))
    monkeypatch.setattr(docker, "daemon_runs", lambda: True)
    return dict(docker.observe(["x:1", "absent:1"]))


def test_docker_is_described(serve_unix: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    found = observe(serve_unix, monkeypatch, ENGINE)
    assert (found["installed"], found["active"], found["version"]) == (True, True, "20.10.24")
    assert found["images"][0]["architecture"] == "arm64"
    assert (found["containers"][0]["pid"], found["containers"][0]["privileged"]) == (7, True)


def test_docker_that_answers_with_an_error_is_not_active(serve_unix: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    found = observe(serve_unix, monkeypatch, {b"/info": ENGINE[b"/info"]})
    assert not found["active"]
    assert "/images/json gives status 500" in found["api_error"]


def test_a_stopped_docker_is_not_woken_up(serve_unix: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    monkeypatch.setattr(docker, "SOCKETS", (serve_unix(lambda question: (asked.append(question), ok(b"{}"))[1]),))
    monkeypatch.setattr(docker, "daemon_runs", lambda: False)
    assert not docker.observe([])["active"]
    assert not asked


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def message(text: bytes) -> bytes:
    return b"\0" + struct.pack(">I", len(text)) + text


HELLO = frame(grpc.SETTINGS, 0, 0, b"") + frame(grpc.PING, 0, 0, b"12345678") + frame(grpc.HEADERS, 4, 1, b"\x88")


@pytest.mark.parametrize(
    "data",
    [
        frame(grpc.DATA, 0, 1, message(b"hello")),
        frame(grpc.DATA, 0, 1, message(b"hello")[:3]) + frame(grpc.DATA, 1, 1, message(b"hello")[3:]),
        frame(grpc.DATA, grpc.PADDED, 1, b"\x02" + message(b"hello") + b"\0\0"),
    ],
    ids=["whole", "two_frames", "padded"],
)
def test_a_grpc_answer_is_put_together(serve: Serve, data: bytes) -> None:
    port = serve(lambda question: HELLO + data if question.startswith(b"PRI * HTTP/2.0") else b"")
    assert grpc.call("127.0.0.1", port, "/a.B/C", 2) == b"hello"


@pytest.mark.parametrize(
    "said",
    [
        HELLO + frame(grpc.HEADERS, 5, 1, b"\x88"),
        frame(grpc.GOAWAY, 0, 0, b"\0" * 8),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
        None,
    ],
    ids=["only_trailers", "goaway", "http1", "closed", "silent"],
)
def test_a_grpc_answer_that_is_none_is_refused(serve: Serve, said: bytes | None) -> None:
    port = serve(lambda _: said)
    with pytest.raises(grpc.GrpcError):
        grpc.call("127.0.0.1", port, "/a.B/C", 0.3)
