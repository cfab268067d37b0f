"""A testinfra backend that keeps one ssh and one root shell per host open and feeds commands to it.

testinfra's own ssh backend starts an ssh per command. Here a command costs one round trip on an open channel, and
none at all when it was foreseen: the commands that the last run of the suite sent to a host are sent to all
hosts at once when the session opens, and a test that asks for one of them finds its answer waiting. Only the list
of commands is remembered; every answer is from this run.
"""

from __future__ import annotations

import os
import secrets
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult

from driver.becoming import as_root
from driver.vaults import BECOME, PREFIX

LIMIT_SECONDS = 180.0
OPEN_SECONDS = 30.0


class HostSilentError(RuntimeError):
    """A host does not answer, or does not let us become root."""


class Channel:
    """One ssh with a root shell at its other end; answers come back in the order of the commands."""

    def __init__(self, ssh_config: Path, name: str) -> None:
        self.name = name
        self._mark = secrets.token_hex(16).encode()
        options = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        words, before = as_root(("/bin/sh",), os.environ.get(f"{PREFIX}{BECOME}"))
        self._process = subprocess.Popen(
            ["ssh", "-F", str(ssh_config), *options, name, "exec", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._buffers = {1: bytearray(), 2: bytearray()}
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._in = self._process.stdin
        self._selector = selectors.DefaultSelector()
        for stream, number in ((self._process.stdout, 1), (self._process.stderr, 2)):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, number)
        self._write(before)
        # what ssh, sudo and the login say before the first command must not become a part of its answer
        self.send(":")

    def send(self, command: str) -> None:
        """Hand one command to the shell; it has no standard input, and can not leave the shell."""
        mark = self._mark.decode()
        text = f"( {command}\n) </dev/null; r=$?; printf '\\n{mark} %d\\n' $r; printf '\\n{mark}\\n' >&2\n"
        self._write(text.encode())

    def _write(self, data: bytes) -> None:
        try:
            self._in.write(data)
            self._in.flush()
        except BrokenPipeError:
            self._process.wait()  # read() says why

    def read(self, limit_seconds: float = LIMIT_SECONDS) -> tuple[int, bytes, bytes]:
        """Return code, stdout and stderr of the oldest command that was not read yet; raises HostSilentError."""
        ends = time.monotonic() + limit_seconds
        while not (
            self._mark + b" " in self._buffers[1] and self._mark + b"\n" in self._buffers[2] and self._line_ended()
        ):
            self._more(ends)
        out, rest = bytes(self._buffers[1]).split(b"\n" + self._mark + b" ", 1)
        code, rest = rest.split(b"\n", 1)
        err, rest_err = bytes(self._buffers[2]).split(b"\n" + self._mark + b"\n", 1)
        self._buffers = {1: bytearray(rest), 2: bytearray(rest_err)}
        return int(code), out, err

    def _line_ended(self) -> bool:
        """Return whether the exit code behind the mark has come as a whole."""
        return b"\n" in bytes(self._buffers[1]).split(self._mark + b" ", 1)[1]

    def _more(self, ends: float) -> None:
        left = ends - time.monotonic()
        ready = self._selector.select(max(left, 0))
        if not ready:
            self.close()
            raise HostSilentError(f"{self.name}: no answer to a command within the time limit")
        for key, _ in ready:
            data = os.read(key.fd, 1 << 16)
            if data:
                self._buffers[key.data] += data
                continue
            self._selector.unregister(key.fileobj)
            if not self._selector.get_map():
                said = bytes(self._buffers[2]).decode("utf-8", "replace").strip().splitlines()
                raise HostSilentError(f"{self.name}: the connection ended: {said[-1] if said else 'without a word'}")

    def close(self) -> None:
        """End the shell and its ssh; the shared connection of the host stays open."""
        self._process.kill()
        self._process.wait()


class ShellBackend(BaseBackend):
    """What testinfra talks to: `run` answers from what was foreseen, or asks the host."""

    NAME = "provision"

    def __init__(self, name: str, ssh_config: Path, foreseen: Sequence[str] = ()) -> None:
        super().__init__(name)
        self._encoding = "utf-8"  # asking the host costs a command; a wrong byte must not end a check
        self._channel = Channel(ssh_config, name)
        self._waiting = deque(foreseen)
        self._answers: dict[str, deque[tuple[int, bytes, bytes]]] = {}
        self._opened = False
        self.sent: list[str] = []
        for command in foreseen:
            self._channel.send(command)

    def open(self) -> None:
        """Wait until the root shell answers; raises HostSilentError, saying why not."""
        if not self._opened:
            self._channel.read(OPEN_SECONDS)
            self._opened = True

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Return the result of *command*, whose %s are the quoted *args*."""
        del kwargs
        self.open()
        words = self.quote(command, *args)
        self.sent.append(words)
        code, out, err = self._answer(words)
        return self.result(code, words.encode(), out, err)

    def _answer(self, words: str) -> tuple[int, bytes, bytes]:
        while words in self._waiting and not self._answers.get(words):
            self._answers.setdefault(self._waiting.popleft(), deque()).append(self._channel.read())
        known = self._answers.get(words)
        if known:
            return known.popleft()
        self._channel.send(words)
        while self._waiting:  # the answer comes behind those of everything that was sent before
            self._answers.setdefault(self._waiting.popleft(), deque()).append(self._channel.read())
        return self._channel.read()

    def decode(self, data: bytes) -> str:
        """Return *data* as text, whatever it is."""
        return data.decode("utf-8", "replace")

    def close(self) -> None:
        """End the connection's shell."""
        self._channel.close()
