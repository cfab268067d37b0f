"""Switches that make a server of models behave badly: slow, cut off, silent, with wrong or missing files, with a token.

Every server of this folder has them: `server.faults.set(...)` inside of a test, `PUT /.faults` with the same keys as
JSON from outside (`GET` shows them, and what was sent; `DELETE` ends them). Standard library only: the service host
gets it by copying.
"""

import json
import threading
import time
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

CONTROL = "/.faults"
CHUNK = 1 << 16
SILENCE_STEP_SECONDS = 0.1


@dataclass
class Switches:
    """What is wrong: paths are ends of the names of files, numbers are per answer, 0 and empty are nothing."""

    bytes_per_second: int = 0
    cut_after: int = 0
    cut_times: int = 1 << 30
    silent_seconds: float = 0.0
    status: int = 0
    token: str = ""
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Faults:
    """The switches of one server, and how many bytes of content it has sent, by the name of the file."""

    def __init__(self) -> None:
        self.switches = Switches()
        self.sent: dict[str, int] = {}
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def set(self, **values: object) -> None:
        """Put the switches to *values*, all others to nothing."""
        self.switches = Switches(**values)  # type: ignore[arg-type]

    def clear(self) -> None:
        """Behave well again."""
        self.switches = Switches()

    def controlled(self, handler: BaseHTTPRequestHandler) -> bool:
        """Answer a request that is about the switches; return whether it was one."""
        if handler.path != CONTROL:
            return False
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if handler.command == "PUT":
            self.set(**json.loads(body))
        elif handler.command == "DELETE":
            self.clear()
        with self._lock:
            answer = json.dumps({**asdict(self.switches), "sent": self.sent}).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)
        return True

    def refusal(self, authorization: str) -> int:
        """Return the status that refuses a request with this header, 0 to let it through; keeps silent first."""
        limit = time.monotonic() + self.switches.silent_seconds
        while time.monotonic() < limit and not self.ended.wait(SILENCE_STEP_SECONDS):
            pass
        if self.switches.status:
            return self.switches.status
        token = self.switches.token
        return 401 if token and token not in authorization else 0

    def is_missing(self, path: str) -> bool:
        """Return whether the file *path* is listed and not there."""
        return any(path.endswith(name) for name in self.switches.missing)

    def copy(self, handler: BaseHTTPRequestHandler, source: Path, start: int, end: int, path: str) -> None:
        """Send the bytes from *start* to *end* of *source* as the switches have it."""
        switches = self.switches
        wrong = any(path.endswith(name) for name in switches.wrong)
        allowed = end - start
        if 0 < switches.cut_after < allowed and switches.cut_times > 0:
            switches.cut_times -= 1
            allowed = switches.cut_after
        with source.open("rb") as content:
            content.seek(start)
            while allowed and (block := content.read(min(CHUNK, allowed))):
                if wrong:
                    block = bytes([block[0] ^ 1]) + block[1:]
                handler.wfile.write(block)
                allowed -= len(block)
                start += len(block)
                with self._lock:
                    self.sent[path] = self.sent.get(path, 0) + len(block)
                if switches.bytes_per_second and self.ended.wait(len(block) / switches.bytes_per_second):
                    break
        if start < end:
            handler.close_connection = True
