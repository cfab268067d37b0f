"""Talk to the Docker Engine over its unix socket: a request, and a stream of JSON lines. No Docker SDK on hosts."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from typing import Any, Dict, Iterable, Iterator, Optional
from urllib.parse import urlencode

from .errors import RefusedError

SOCKET = "/var/run/docker.sock"
ERRORS_FROM = 400
NOT_FOUND = 404


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class DockerApi:
    """The few calls that the roles need."""

    def __init__(self, path: str = SOCKET, timeout: float = 60.0) -> None:
        """Use the engine behind the socket *path*; *timeout* in seconds is the longest silence."""
        self.path = path
        self.timeout = timeout

    def get(self, url: str) -> Optional[Any]:
        """Return the JSON answer of GET *url*, None when there is no such object. Raises RefusedError."""
        answer = self._send("GET", url, {})
        body = answer.read()
        if answer.status == NOT_FOUND:
            return None
        self._check(answer.status, url, body)
        return json.loads(body) if body else None

    def post(self, url: str, query: Dict[str, str]) -> None:
        """Send POST *url*. Raises RefusedError."""
        answer = self._send("POST", url, query)
        self._check(answer.status, url, answer.read())

    def delete(self, url: str, query: Dict[str, str]) -> None:
        """Send DELETE *url*; what has gone already is no fault. Raises RefusedError."""
        answer = self._send("DELETE", url, query)
        body = answer.read()
        if answer.status != NOT_FOUND:
            self._check(answer.status, url, body)

    def stream(
        self, url: str, query: Dict[str, str], headers: Optional[Dict[str, str]] = None, silence: float = 0.0
    ) -> Iterator[Dict[str, Any]]:
        """Yield every JSON line of the answer to POST *url*. Raises RefusedError, also after *silence* seconds of it.

        Whoever stops asking for lines ends the connection, and with it what the engine does.
        """
        patient = DockerApi(self.path, silence or self.timeout)
        yield from self._events(url, patient._send("POST", url, query, headers))

    def send(
        self, url: str, query: Dict[str, str], body: Iterable[bytes], headers: Dict[str, str]
    ) -> Iterator[Dict[str, Any]]:
        """Yield every JSON line of the answer to POST *url* with *body*, which may be long. Raises RefusedError.

        An engine that refuses ends the connection in the middle of the body, and its answer says why.
        """
        connection = _UnixConnection(self.path, self.timeout)
        target = url + ("?" + urlencode(query) if query else "")
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request("POST", target, body, headers, encode_chunked=True)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise RefusedError(f"Docker Engine ended the connection of {url}: {error}") from error
        yield from self._events(url, answer)

    def _events(self, url: str, answer: http.client.HTTPResponse) -> Iterator[Dict[str, Any]]:
        if answer.status >= ERRORS_FROM:
            self._check(answer.status, url, answer.read())
        try:
            for line in answer:
                if line.strip():
                    yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RefusedError(f"Docker Engine ended its answer to {url}: {error}") from error

    def _send(
        self, method: str, url: str, query: Dict[str, str], headers: Optional[Dict[str, str]] = None
    ) -> http.client.HTTPResponse:
        connection = _UnixConnection(self.path, self.timeout)
        try:
            connection.request(method, url + ("?" + urlencode(query) if query else ""), headers=headers or {})
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise RefusedError(
                f"Docker Engine does not answer on {self.path}: {error}. "
                "Look at `systemctl status docker` and `journalctl -u docker`."
            ) from error

    @staticmethod
    def _check(status: int, url: str, body: bytes) -> None:
        if status < ERRORS_FROM:
            return
        text = body.decode("utf-8", "replace")
        try:
            text = str(json.loads(text)["message"])
        except (ValueError, KeyError, TypeError):
            text = text.strip()
        raise RefusedError(f"Docker Engine refused {url} with status {status}: {text}")
