"""The ways that are compared: what runs on the origin and on the hosts, and when a host has verified its files."""

from __future__ import annotations

import shutil
import sys
from abc import ABC, abstractmethod
from pathlib import Path

from . import settings, torrent
from .lab import Lab, Process

PORT = 8080
STREAMS = 4
CHECK = "sha256sum --quiet --check ../sums"
TOOLS = Path(__file__).parent


class Way(ABC):
    """One way to move the files. Servers are started first, the clock runs from `begin` on."""

    name = ""
    needs: tuple[str, ...] = ()

    def lacking(self) -> str:
        """Return what this machine lacks for it, "" for nothing."""
        return ", ".join(program for program in self.needs if not shutil.which(program))

    @abstractmethod
    def prepare(self, lab: Lab) -> None:
        """Start what serves."""

    @abstractmethod
    def begin(self, lab: Lab, number: int) -> None:
        """Let host *number* receive."""

    @abstractmethod
    def done(self, lab: Lab, number: int) -> bool:
        """Return whether host *number* has verified its files. Raises RuntimeError when it never will."""


class Pull(Way):
    """Ways in which a program on the host ends when the files are there."""

    def __init__(self) -> None:
        self.clients: dict[int, Process] = {}

    @abstractmethod
    def script(self, lab: Lab, number: int) -> str:
        """Return the shell line that brings the files into the current folder."""

    def begin(self, lab: Lab, number: int) -> None:
        line = f"cd data && {self.script(lab, number)} && {CHECK}"
        self.clients[number] = lab.start(number, ["sh", "-c", line])

    def done(self, lab: Lab, number: int) -> bool:
        code = self.clients[number].poll()
        if code:
            raise RuntimeError(f"{self.name}: host {number} ended with code {code}: {lab.said(number)}")
        return code == 0


def curl(lab: Lab, base: str) -> str:
    wanted = " ".join(f"-o {name} {base}/{name}" for name, _, _ in lab.files.files)
    return f"curl -sS --fail -Z --parallel-max {STREAMS} {wanted}"


class Http(Pull):
    """Every host asks the origin's nginx."""

    name = "plain HTTP from the origin"
    needs = ("nginx", "curl")

    def prepare(self, lab: Lab) -> None:
        lab.start(0, ["nginx", "-c", str(settings.nginx_origin(lab, PORT))])

    def script(self, lab: Lab, number: int) -> str:  # noqa: ARG002
        return curl(lab, f"http://{lab.net.address(0)}:{PORT}")


class NginxChain(Http):
    """Every host has an nginx that keeps slices and asks the host before."""

    name = "nginx chain, cache of slices"

    def prepare(self, lab: Lab) -> None:
        super().prepare(lab)
        for number in lab.hosts():
            upstream = f"{lab.net.address(number - 1)}:{PORT}"
            lab.start(number, ["nginx", "-c", str(settings.nginx_link(lab, number, PORT, upstream))])

    def script(self, lab: Lab, number: int) -> str:
        return curl(lab, f"http://{lab.net.address(number)}:{PORT}")


class Rsync(Pull):
    """Every host asks the origin's rsync daemon."""

    name = "rsync from the origin"
    needs = ("rsync",)

    def prepare(self, lab: Lab) -> None:
        lab.start(0, ["rsync", "--daemon", "--no-detach", f"--config={settings.rsyncd(lab, PORT)}"])

    def script(self, lab: Lab, number: int) -> str:  # noqa: ARG002
        return f"rsync --whole-file --recursive rsync://{lab.net.address(0)}:{PORT}/data/ ."


class Aria(Way):
    """BitTorrent by aria2 with a tracker; who is done goes on giving."""

    name = "aria2, BitTorrent with a tracker"
    needs = ("aria2c",)

    def prepare(self, lab: Lab) -> None:
        torrent.prepare(lab, PORT)
        lab.start(0, [*self._argv(lab, 0), "--bt-seed-unverified=true"])

    def begin(self, lab: Lab, number: int) -> None:
        lab.start(number, self._argv(lab, number))

    def done(self, lab: Lab, number: int) -> bool:
        return (lab.home(number) / "done").exists()

    @staticmethod
    def _argv(lab: Lab, number: int) -> list[str]:
        hook = settings.hook(lab, number)
        return [
            "aria2c", f"--dir={lab.home(number)}", "--seed-ratio=0.0", "--seed-time=9999", "--file-allocation=none",
            "--enable-dht=false", "--bt-enable-lpd=false", "--enable-peer-exchange=true", "--bt-max-peers=0",
            "--listen-port=6881", "--console-log-level=error", "--summary-interval=0", "--no-conf=true",
            "--follow-torrent=false", "--disk-cache=0", "--allow-overwrite=true",
            f"--on-bt-download-complete={hook}", str(torrent.place(lab)),
        ]  # fmt: skip


class Libtorrent(Aria):
    """BitTorrent by libtorrent with settings for few equal peers."""

    name = "libtorrent, tuned"
    needs = ("/usr/bin/python3",)

    def lacking(self) -> str:
        return super().lacking() or ("" if torrent.has_libtorrent() else "python3-libtorrent")

    def prepare(self, lab: Lab) -> None:
        torrent.prepare(lab, PORT)
        self.begin(lab, 0)

    def begin(self, lab: Lab, number: int) -> None:
        argv = ["/usr/bin/python3", str(TOOLS / "peer.py"), str(torrent.place(lab)), str(lab.home(number))]
        lab.start(number, [*argv, lab.net.address(number), "seed" if number == 0 else "peer"])


ALL: tuple[type[Way], ...] = (Http, Rsync, Aria, Libtorrent, NginxChain)
PYTHON = sys.executable
