"""Asks one upstream: just enough HTTP to receive straight into a buffer, with ranges and time limits."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any, Dict, Optional
from urllib.parse import quote, urlsplit

from .errors import SourceError

CONNECT_SECONDS = 3.0
HEADER_LIMIT = 65536
LEAST = 32768
SECRET_HEADER = "X-Move-Secret"  # noqa: S105 - the name of a header
# Longer than a member holds a request for what it does not have yet.
WAIT_SECONDS = 4.0


@dataclass
class Access:
    """What it takes to be let in."""

    secret: str
    tls: Optional[ssl.SSLContext] = None


@dataclass
class Address:
    """Where an upstream is: a member, or (url) any server of files by their path."""

    name: str
    host: str
    port: int
    base: str = ""
    tls: bool = False

    def target(self, key: str, path: str) -> str:
        """Return what to ask for: members know files by their checksum, other servers by their path."""
        return self.base.rstrip("/") + "/" + quote(path) if self.base else "/files/" + key


def address_of(upstream: Dict[str, Any], port: int) -> Address:
    """Return where *upstream* is; *port* is what members use unless it says otherwise."""
    if upstream.get("url"):
        parts = urlsplit(upstream["url"])
        secure = parts.scheme == "https"
        return Address(
            upstream["name"], parts.hostname or "", parts.port or (443 if secure else 80), parts.path or "/", secure
        )
    return Address(upstream["name"], upstream["address"], int(upstream.get("port") or port))


class Answer:
    """An answer whose body is read by whoever asked."""

    def __init__(self, sock: socket.socket) -> None:
        """Read status and headers. Raises SourceError."""
        self.sock = sock
        self.late = False  # what was read last is less than was waited for: nothing more came in all that time
        self._least = 1
        raw = b""
        while b"\r\n\r\n" not in raw:
            more = sock.recv(8192)
            if not more or len(raw) > HEADER_LIMIT:
                raise SourceError("closed the connection instead of answering")
            raw += more
        head, _, self.rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
            raise SourceError(f"does not speak HTTP: {lines[0][:60]!r}")
        self.status = int(words[1])
        self.headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }

    def into(self, view: memoryview) -> int:
        """Fill the beginning of *view* with what is there; return its length, 0 at the end."""
        if self.rest:
            count = min(len(self.rest), len(view))
            view[:count] = self.rest[:count]
            self.rest = self.rest[count:]
            return count
        self.late = False
        try:
            return self._receive(view)
        except socket.timeout:
            raise
        except OSError as error:  # no route any more, a record that cannot be decrypted: the other side's, not ours
            raise SourceError(str(error) or type(error).__name__) from error

    def _receive(self, view: memoryview) -> int:
        try:
            return self.sock.recv_into(view)
        except socket.timeout:
            if self._least == 1:
                raise
            self.expect(1)  # less than we waited for may lie there
            self.late = True
            try:
                return self.sock.recv_into(view, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                raise socket.timeout("nothing came") from None

    def expect(self, rest: int) -> None:
        """Wake for some packets at once where *rest* bytes are to come: one by one they cost the host its processor."""
        least = LEAST if rest > LEAST and not isinstance(self.sock, ssl.SSLSocket) else 1
        if least != self._least:
            self._least = least
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)

    def text(self, limit: int = 1 << 20) -> str:
        """Return the body as text, for answers that are small."""
        size = min(int(self.headers.get("content-length") or 0), limit)
        body = self.rest
        while len(body) < size:
            more = self.sock.recv(size - len(body))
            if not more:
                break
            body += more
        return body.decode("utf-8", "replace")

    def close(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(OSError):
            self.sock.close()


@dataclass
class Reach:
    """How far a member is with a file; hope: for how many seconds nobody could give more of it to that member."""

    have: int
    state: str
    hope: float


@dataclass
class Request:
    """What is asked, and within how many seconds the answer has to begin."""

    method: str
    target: str
    headers: Dict[str, str] = field(default_factory=dict)
    seconds: float = CONNECT_SECONDS


def ask(where: Address, access: Access, what: Request) -> Answer:
    """Return the answer to one request. Raises SourceError when there is none."""
    sock = None
    try:
        sock = socket.create_connection((where.host, where.port), CONNECT_SECONDS)
        sock.settimeout(what.seconds)
        if where.tls:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=where.host)
        elif access.tls and not where.base:
            sock = access.tls.wrap_socket(sock)
        lines = [f"{what.method} {what.target} HTTP/1.1", f"Host: {where.host}:{where.port}", "Connection: close"]
        lines += [] if where.base else [f"{SECRET_HEADER}: {access.secret}"]
        lines += [f"{name}: {value}" for name, value in what.headers.items()]
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return Answer(sock)
    except (OSError, SourceError, ValueError) as error:
        if sock is not None:
            sock.close()
        raise SourceError(str(error) or type(error).__name__) from error


def status(where: Address, access: Access) -> Dict[str, Any]:
    """Return what the agent at *where* says of itself. Raises SourceError."""
    answer = ask(where, access, Request("GET", "/status"))
    try:
        found = json.loads(answer.text()) if answer.status == 200 else {}
    except (OSError, ValueError) as error:
        raise SourceError(str(error)) from error
    finally:
        answer.close()
    return found if isinstance(found, dict) else {}


def reach(where: Address, access: Access, key: str) -> Reach:
    """Return how far the member at *where* is with *key*. Raises SourceError."""
    answer = ask(where, access, Request("HEAD", "/files/" + key))
    answer.close()
    if answer.status != 200:
        raise SourceError(f"answers {answer.status}")
    told = answer.headers
    return Reach(int(told.get("x-move-have") or 0), told.get("x-move-state", ""), float(told.get("x-move-hope") or 0))
