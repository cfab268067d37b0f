"""Hosts for the tests of moves: each is a real agent, started from its bundle, on a port of its own on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plugins.module_utils.move import bundle

SECRET = "open sesame"
# Faults are healed in seconds here, and in tens of seconds on a site.
QUICK = {"grace_seconds": 5, "give_up_seconds": 4, "stall_seconds": 1, "idle_seconds": 60, "streams": 3}
LIMIT_SECONDS = 40.0
Entries = list[dict[str, Any]]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def content(name: str, size: int) -> bytes:
    return random.Random(name).randbytes(size)


def entries(sizes: dict[str, int]) -> Entries:
    return [
        {"path": name, "size": size, "sha256": hashlib.sha256(content(name, size)).hexdigest()}
        for name, size in sizes.items()
    ]


class Host:
    """One host of a test."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.root = name, folder / name
        self.data, self.state = self.root / "data", self.root / "state"
        self.data.mkdir(parents=True)
        self.state.mkdir(mode=0o700)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.settings: dict[str, Any] = {}

    def fill(self, sizes: dict[str, int]) -> Host:
        for name, size in sizes.items():
            place = self.data / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content(name, size))
        return self

    def wants(self, files: Entries, upstreams: list[Any], mode: str = "receive", **more: Any) -> Host:
        """Write the configuration; *upstreams* are hosts or descriptions."""
        described = [
            {"name": each.name, "address": "127.0.0.1", "port": each.port} if isinstance(each, Host) else each
            for each in upstreams
        ]
        one = {"name": "m", "folder": str(self.data), "files": files, "mode": mode, "upstreams": described}
        one.update({key: more.pop(key) for key in ("whole", "asked") if key in more})
        self.settings = {
            "name": self.name, "listen": "127.0.0.1", "port": self.port, "secret": SECRET, "members": ["127.0.0.1"],
            **QUICK, **more, "sets": [one],
        }  # fmt: skip
        return self.write()

    def write(self) -> Host:
        draft = self.state / "agent.json.new"
        draft.write_text(json.dumps(self.settings))
        draft.replace(self.state / "agent.json")
        return self

    def start(self, python: str = sys.executable, **environment: str) -> Host:
        program = bundle.write(str(self.state))
        argv = [python, "-I", program, str(self.state / "agent.json")]
        self.process = subprocess.Popen(argv, env={**os.environ, **environment}, cwd=self.root)
        return self

    def kill(self) -> None:
        """End it as a power cut would: no goodbye."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        if self.process:
            self.process.wait()

    def freeze(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def status(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.state / "status.json").read_text()))
        except (OSError, ValueError):
            return {}

    def report(self) -> dict[str, Any]:
        return dict(next(iter(self.status().get("sets", [])), {}))

    def until(self, ready: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        limit = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < limit:
            report = self.report()
            if report and ready(report):
                return report
            time.sleep(0.05)
        raise AssertionError(f"{self.name} never {what}: {self.status()}\n{self.log()}")

    def done(self) -> dict[str, Any]:
        report = self.until(lambda each: each["state"] in {"done", "failed"}, "ended")
        assert report["state"] == "done", (report, self.log())
        return report

    def failed(self) -> dict[str, Any]:
        report = self.until(lambda each: each["state"] in {"done", "failed"}, "ended")
        assert report["state"] == "failed", report
        return report

    def log(self) -> str:
        place = self.state / "agent.log"
        return place.read_text() if place.exists() else ""

    def holds(self, sizes: dict[str, int]) -> bool:
        """Return whether exactly these files are here, each right."""
        found = {str(place.relative_to(self.data)) for place in self.data.rglob("*") if place.is_file()}
        return found == set(sizes) and all(
            (self.data / name).read_bytes() == content(name, sizes[name]) for name in sizes
        )
