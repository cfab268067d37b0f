"""Bring the host's packages to what is wanted: ask its own manager, act only where something differs, ask again."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Tuple, Union

from . import session
from .errors import RefusedError
from .package_managers import Manager, manager_of, upstream

QUERY_SECONDS = 120.0
RETRY_SECONDS = 3.0
TAIL_LINES = 15
LISTS = ("/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists")

Execute = Callable[[List[str], float, Dict[str, str]], Tuple["int | None", str]]


@dataclass
class Order:
    """What is wanted of which packages; one of *packages* is a name, or names of which the first to be had counts."""

    packages: List[Union[str, List[str]]]
    state: str = "present"
    versions: Dict[str, str] = field(default_factory=dict)
    recommends: bool = False
    despite_hold: bool = False
    timeout_seconds: float = 1800.0
    lock_wait_seconds: int = 300
    lists_max_age_seconds: int = 3600
    refresh: bool = False
    hint: str = ""


class Packages:
    """The packages of this host, through the manager called *name*."""

    def __init__(self, name: str, order: Order, execute: Execute = session.execute) -> None:
        """Remember what is wanted; nothing is asked yet."""
        try:
            self.manager: Manager = manager_of(name)
        except KeyError:
            raise RefusedError(
                f"no package manager that is known here: found {name or 'none'}, expected apt, dnf, yum or zypper. "
                f"Give the host one of them, or install {self._words(order.packages)} by hand."
            ) from None
        self.order = order
        self.execute = execute
        self.output = ""

    @staticmethod
    def _words(packages: List[Union[str, List[str]]]) -> str:
        return ", ".join(name if isinstance(name, str) else " or ".join(name) for name in packages)

    def ask(self, argv: List[str]) -> Tuple[int, str]:
        """Run a command that only reads."""
        code, output = self.execute(argv, QUERY_SECONDS, {})
        if code is None:
            raise RefusedError(f"{' '.join(argv)} gave no answer within {QUERY_SECONDS:.0f} s: {_tail(output)}")
        return code, output

    def converge(self, check: bool) -> Dict[str, Any]:
        """Bring the packages to what is wanted, with *check* only say so; return changed, names, versions, output."""
        self.manager.frozen = check
        flat = [name for entry in self.order.packages for name in ([entry] if isinstance(entry, str) else entry)]
        present = self.manager.installed(flat, self.ask) if flat else {}
        if self.order.state == "absent":
            return self._absent([name for name in flat if name in present], present, check)
        self._refresh(flat, present, check)
        names = [self._choose(entry, present) for entry in self.order.packages]
        specs = self._specs(names, present, check)
        before = {name: present.get(name, "") for name in names}
        if not specs or check:
            return {"changed": bool(specs), "names": names, "before": before, "versions": before, "output": ""}
        held = self.order.despite_hold
        argv = self.manager.install(specs, self.order.recommends, held)
        self._run(argv, f"install {', '.join(specs)}")
        after = self.manager.installed(names, self.ask)
        missing = [name for name in names if name not in after]
        if missing:
            # yum ends with 0 when it found some of the names
            raise RefusedError(
                f"{self.manager.program} ended without an error, and {', '.join(missing)} is not installed. "
                f"{self._sources()} Its output ends with:\n{_tail(self.output)}"
            )
        return {"changed": after != before, "names": names, "before": before, "versions": after, "output": self._last()}

    def _absent(self, names: List[str], present: Dict[str, str], check: bool) -> Dict[str, Any]:
        if names and not check:
            self._run(self.manager.remove(names), f"remove {', '.join(names)}")
        return {"changed": bool(names), "names": names, "before": present, "versions": {}, "output": self._last()}

    def _choose(self, entry: Union[str, List[str]], present: Dict[str, str]) -> str:
        """Return the name of *entry* that is installed, else the first that the sources have."""
        names = [entry] if isinstance(entry, str) else entry
        there = [name for name in names if name in present]
        if there or len(names) == 1:
            return (there or names)[0]
        offered = self.manager.offered(names, self.ask)
        return next((name for name in names if offered.get(name)), names[0])

    def _specs(self, names: List[str], present: Dict[str, str], check: bool) -> List[str]:
        specs = []
        for name in names:
            wanted = self.order.versions.get(name, "")
            have = present.get(name, "")
            if wanted and not _is(have, wanted):
                specs.append(self._exactly(name, wanted, check))
            elif not have:
                specs.append(name)
            elif self.order.state == "latest" and not wanted:
                newest = self.manager.offered([name], self.ask).get(name, [])
                if newest and newest[0].split(":", 1)[-1] != have.split(":", 1)[-1]:
                    specs.append(self.manager.spec(name, newest[0]))
        return specs

    def _exactly(self, name: str, wanted: str, check: bool) -> str:
        offered = self.manager.offered([name], self.ask).get(name, [])
        found = next((version for version in offered if _is(version, wanted)), "")
        if not found and not check:  # before the sources are written nobody can know
            raise RefusedError(
                f"the sources do not have {name} in version {wanted}; they have "
                f"{', '.join(offered[:6]) or 'none at all'}. {self._sources()}"
            )
        return self.manager.spec(name, found or wanted)

    def _refresh(self, names: List[str], present: Dict[str, str], check: bool) -> None:
        """Read the lists anew where something has to come from them and they are old."""
        complete = all(name in present for name in names) and not self.order.versions
        needless = complete and self.order.state != "latest" and not self.order.refresh
        if check or not self.manager.update or needless:
            return
        if self.order.refresh or _age(LISTS) > self.order.lists_max_age_seconds:
            # A source that does not answer need not be the one that has the package: the installation decides.
            self._attempt(list(self.manager.update))

    def _run(self, argv: List[str], what: str) -> None:
        code = self._attempt(argv)
        if self.manager.repair_pattern and self.manager.repair_pattern in self.output:
            self._attempt(list(self.manager.repair))
            code = self._attempt(argv)
        if code is None:
            raise RefusedError(
                f"{argv[0]} took longer than {self.order.timeout_seconds:.0f} s to {what} and was ended. "
                f"Run again when the sources answer; what is half done is finished then. "
                f"Its output ends with:\n{_tail(self.output)}"
            )
        if code != 0:
            raise RefusedError(
                f"{argv[0]} could not {what}: it ended with code {code}, expected 0. "
                f"{self._sources()} Its output ends with:\n{_tail(self.output)}"
            )

    def _attempt(self, argv: List[str]) -> "int | None":
        """Run *argv*; while another run holds the manager's lock, wait and try again."""
        began = time.monotonic()
        while True:
            left = self.order.timeout_seconds - (time.monotonic() - began)
            code, output = self.execute(argv, max(left, 1.0), self.manager.environment)
            self.output += output
            locked = code != 0 and any(pattern in output for pattern in self.manager.lock_patterns)
            if not locked or time.monotonic() - began > self.order.lock_wait_seconds:
                return code
            time.sleep(RETRY_SECONDS)

    def _sources(self) -> str:
        hint = f" {self.order.hint}" if self.order.hint else ""
        return f"Look at the package sources of the host (site.yml: mirrors).{hint}"

    def _last(self) -> str:
        return _tail(self.output) if self.output else ""


def _is(version: str, wanted: str) -> bool:
    """Return whether *version* of a package is *wanted*, which may leave out epoch and the distribution's part."""
    return bool(version) and wanted in {version, version.split(":", 1)[-1], upstream(version)}


def _tail(output: str) -> str:
    """Return the last lines of *output*; of a line that was written over itself what stood there at last."""
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in output.strip().split("\n")]
    return "\n".join(lines[-TAIL_LINES:]).strip() or "(nothing)"


def _age(paths: Tuple[str, ...]) -> float:
    """Return how many seconds ago the newest of *paths* was written; very long when there is none."""
    times = [os.stat(path).st_mtime for path in paths if os.path.exists(path)]
    return time.time() - max(times) if times else float("inf")
