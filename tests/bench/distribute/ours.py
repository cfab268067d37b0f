"""The engine of this product in the bench: agents that run and are told at the beginning; what is done to them."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any

from plugins.module_utils.move import bundle

from .certificate import certificate
from .lab import Lab
from .ways import STREAMS, Way

SECRET = "bench"
START_SECONDS = 60.0
LIAR = Path(__file__).with_name("liar.py")


class Ours(Way):
    """Every host asks the one before it, then the one before that."""

    name = "provision"

    def __init__(self) -> None:
        self.liars: set[int] = set()

    def prepare(self, lab: Lab) -> None:
        program = bundle.write(str(lab.root))
        for number in range(lab.net.count):
            mark = self._tell(lab, number, [self._set(lab, 0)] if number == 0 else [])
            wrapper = [str(LIAR)] if number in self.liars else ["-I"]
            lab.start(number, [sys.executable, *wrapper, program, str(lab.home(number) / "agent.json")])
            limit = time.monotonic() + START_SECONDS
            while self.status(lab, number).get("config") != mark:
                if time.monotonic() > limit:
                    raise RuntimeError(f"the agent of host {number} does not start: {lab.said(number)}")
                time.sleep(0.05)

    def begin(self, lab: Lab, number: int) -> None:
        self._tell(lab, number, [self._set(lab, number)])

    def done(self, lab: Lab, number: int) -> bool:
        for found in self.status(lab, number).get("sets", []):
            if found["state"] == "failed":
                raise RuntimeError(f"host {number}: {found['fault']}")
            return bool(found["state"] == "done")
        return False

    def status(self, lab: Lab, number: int) -> dict[str, Any]:
        try:
            return dict(json.loads((lab.home(number) / "status.json").read_text()))
        except (OSError, ValueError):
            return {}

    def have(self, lab: Lab, number: int) -> float:
        """Return which part of the set host *number* has."""
        return sum(found["have"] for found in self.status(lab, number).get("sets", [])) / lab.files.size

    def settings(self) -> dict[str, Any]:
        """Return what differs from the usual."""
        return {}

    def notes(self, lab: Lab) -> list[str]:
        """Return what the hosts had to say."""
        return [
            f"host {number}: {note}"
            for number in lab.hosts()
            for found in self.status(lab, number).get("sets", [])
            for note in found["notes"]
        ]

    def _set(self, lab: Lab, number: int) -> dict[str, Any]:
        before = [{"name": f"host{each}", "address": lab.net.address(each)} for each in range(number - 1, -1, -1)]
        files = [{"path": name, "size": size, "sha256": sha256} for name, size, sha256 in lab.files.files]
        mode = "receive" if number else "hold"
        return {"name": "set", "folder": str(lab.data(number)), "files": files, "mode": mode, "upstreams": before}

    def _tell(self, lab: Lab, number: int, sets: list[dict[str, Any]]) -> str:
        wanted = {
            "name": f"host{number}", "port": 7790, "secret": SECRET, "streams": STREAMS, "sets": sets,
            "members": [lab.net.address(each) for each in range(lab.net.count)], "slow_mbit": lab.net.rate / 4,
            **self.settings(),
        }  # fmt: skip
        text = json.dumps(wanted)
        draft = lab.home(number) / "agent.json.new"
        draft.write_text(text)
        draft.replace(lab.home(number) / "agent.json")
        return hashlib.sha256(text.encode()).hexdigest()


class Encrypted(Ours):
    """The same with encryption between the hosts."""

    name = "provision, encrypted"

    def settings(self) -> dict[str, Any]:
        return {"tls": certificate()}


class Struck(Ours):
    """Something happens on the way; `strike` is asked again and again until it has happened."""

    def __init__(self) -> None:
        super().__init__()
        self.over = False

    @abstractmethod
    def strike(self, lab: Lab) -> bool:
        """Return whether it has happened."""

    def done(self, lab: Lab, number: int) -> bool:
        self.over = self.over or self.strike(lab)
        return super().done(lab, number) and self.over


class HostDies(Struck):
    """The power of a host in the middle of the line fails when it has 40 % of the files."""

    name = "provision, a host in the middle loses its power"

    def strike(self, lab: Lab) -> bool:
        victim = (lab.net.count - 1) // 2
        if self.have(lab, victim) < 0.4:
            return False
        lab.kill(victim)
        return True


class OriginDies(Struck):
    """Half of the hosts begin late; the origin loses its power when the first host has all."""

    name = "provision, the origin loses its power when one host has all"

    def __init__(self) -> None:
        super().__init__()
        self.late: list[int] = []

    def begin(self, lab: Lab, number: int) -> None:
        if number > (lab.net.count - 1) // 2:
            self.late.append(number)
        else:
            super().begin(lab, number)

    def strike(self, lab: Lab) -> bool:
        if self.late and self.have(lab, 1) >= 0.5:
            for number in self.late:
                super().begin(lab, number)
            self.late = []
        if Ours.done(self, lab, 1):
            lab.kill(0)
            return True
        return False


class HostLies(Struck):
    """The second host changes a byte in everything that it hands out."""

    name = "provision, a host changes what it passes on"

    def __init__(self) -> None:
        super().__init__()
        self.liars = {2}

    def strike(self, lab: Lab) -> bool:
        return self.have(lab, 2) > 0


FAULTS: tuple[type[Struck], ...] = (HostDies, OriginDies, HostLies)
