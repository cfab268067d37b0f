"""Network namespaces with shaped links: one an origin, N hosts, a switch between them; gone when the bench ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from types import TracebackType

PREFIX = "provbench"
NETWORK = "10.91.0."
# Enough for one tick of the kernel's clock at these rates, and a queue that a transfer fills without losing much.
BURST = "128kb"
QUEUE = "400kb"


def ip(*words: str, within: str = "") -> str:
    argv = ["ip", *(["-n", within] if within else []), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


class Net:
    """The network of one run; use it as a context. Host 0 is the origin."""

    def __init__(self, hosts: int, rate_mbit: int) -> None:
        """Plan *hosts* hosts and an origin, each link with *rate_mbit* each way, 0 for unshaped."""
        self.count, self.rate = hosts + 1, rate_mbit
        self.names = [f"{PREFIX}-{os.getpid()}-{number}" for number in range(self.count)]
        self.switch = f"{PREFIX}-{os.getpid()}-switch"

    def __enter__(self) -> Net:
        remove_left()
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def address(self, number: int) -> str:
        return f"{NETWORK}{number + 1}"

    def within(self, number: int, argv: list[str]) -> list[str]:
        """Return *argv* as it runs on host *number*; ip becomes the program, so that it can be ended by its id."""
        return ["ip", "netns", "exec", self.names[number], *argv]

    def cut(self, number: int) -> None:
        """Take the host off the network, as when its power fails."""
        ip("link", "set", "eth0", "down", within=self.names[number])

    def sent_bytes(self, number: int) -> int:
        """Return what host *number* has put on the wire, headers and acknowledgements included.

        The queue that shapes counts the headers of each packet; the device counts those of what is still in one piece.
        """
        if self.rate:
            argv = ["tc", "-n", self.names[number], "-s", "-j", "qdisc", "show", "dev", "eth0"]
            shaping = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
            return int(shaping[0]["bytes"])
        found = json.loads(ip("-s", "-j", "link", "show", "eth0", within=self.names[number]))
        return int(found[0]["stats64"]["tx"]["bytes"])

    def _make(self) -> None:
        ip("netns", "add", self.switch)
        ip("link", "add", "br0", "type", "bridge", within=self.switch)
        ip("link", "set", "br0", "up", within=self.switch)
        for number, name in enumerate(self.names):
            ip("netns", "add", name)
            ip("link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0", "netns", name, within=self.switch)
            ip("link", "set", f"p{number}", "master", "br0", "up", within=self.switch)
            ip("addr", "add", f"{self.address(number)}/24", "dev", "eth0", within=name)
            for device in ("lo", "eth0"):
                ip("link", "set", device, "up", within=name)
            if self.rate:
                self._shape(name, "eth0")
                self._shape(self.switch, f"p{number}")

    def _shape(self, name: str, device: str) -> None:
        argv = ["tc", "-n", name, "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{self.rate}mbit"]
        subprocess.run([*argv, "burst", BURST, "limit", QUEUE], check=True, capture_output=True)

    def _remove(self) -> None:
        there = set(present())
        for name in (*self.names, self.switch):
            if name in there:
                ip("netns", "del", name)


def present() -> list[str]:
    return [line.split()[0] for line in ip("netns", "list").splitlines() if line]


def remove_left() -> None:
    """Remove what a bench left that was killed."""
    for name in present():
        found = re.fullmatch(rf"{PREFIX}-(\d+)-\w+", name)
        if found and not Path(f"/proc/{found.group(1)}").exists():
            ip("netns", "del", name)
