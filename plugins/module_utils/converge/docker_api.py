"""Talk to the Docker Engine over its unix socket: a request, and a stream of JSON lines. No Docker SDK on hosts."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any, Dict, Iterator, Optional
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

    def stream(self, url: str, query: Dict[str, str]) -> Iterator[Dict[str, Any]]:
        """Yield every JSON line of the answer to POST *url*. Raises RefusedError, also when it falls silent."""
        answer = self._send("POST", url, query)
        if answer.status >= ERRORS_FROM:
            self._check(answer.status, url, answer.read())
        try:
            for line in answer:
                if line.strip():
                    yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RefusedError(f"Docker Engine ended its answer to {url}: {error}") from error

    def _send(self, method: str, url: str, query: Dict[str, str]) -> http.client.HTTPResponse:
        connection = _UnixConnection(self.path, self.timeout)
        try:
            connection.request(method, url + ("?" + urlencode(query) if query else ""))
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
