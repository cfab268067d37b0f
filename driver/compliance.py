"""Run the compliance suite (pytest and testinfra, in a process of its own) and say what it found.

Green means: every host of the site was looked at, and no check failed. Everything else is red, pytest's own
errors included.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from driver import paths
from driver.errors import NotCompliant, Unreachable, UsageError
from driver.fleet import Fleet
from driver.units import count

LOG = logging.getLogger(__name__)
SUITE = paths.ROOT / "tests" / "compliance"
PYTEST_FAILED = 1
PYTEST_USAGE = 4
PYTEST_NOTHING = 5
BAD_EXPRESSION = "Wrong expression passed to '-k'"


@dataclass(frozen=True, slots=True)
class Check:
    """One check on one host: what has to be true, whether it is, and what was found when not."""

    host: str
    role: str
    name: str
    passed: bool
    message: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the suite found; `unchecked` are hosts of the site that no check has seen, `mesh` is who reaches whom."""

    checks: tuple[Check, ...]
    unreachable: dict[str, str]
    unchecked: tuple[str, ...]
    broken: str = ""
    hosts: tuple[str, ...] = field(default=())
    mesh: dict[str, Any] | None = None

    @property
    def failed(self) -> list[Check]:
        """Return the checks that are red."""
        return [check for check in self.checks if not check.passed]

    @property
    def good(self) -> bool:
        """Return whether every host was checked and nothing is red."""
        return bool(self.checks) and not (self.failed or self.unreachable or self.unchecked or self.broken)

    def headline(self) -> str:
        """Return the verdict as one sentence."""
        if self.good:
            return f"all {len(self.checks)} checks passed on {count(len(self.hosts), 'host')}"
        words = [f"{len(self.failed)} of {len(self.checks)} checks failed"] if self.failed else []
        if self.unreachable:
            words.append(f"unreachable: {', '.join(self.unreachable)}")
        if self.unchecked:
            words.append(f"not checked at all: {', '.join(self.unchecked)}")
        if self.broken:
            words.append(f"the suite itself broke: {self.broken}")
        return "; ".join(words) or "no check ran"

    def require_good(self) -> None:
        """Raise Unreachable or NotCompliant unless everything is green."""
        if self.unreachable:
            raise Unreachable("\n".join(f"{host}: {why}" for host, why in self.unreachable.items()))
        if not self.good:
            raise NotCompliant(self.headline())

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {
            "good": self.good,
            "headline": self.headline(),
            "hosts": list(self.hosts),
            "unreachable": self.unreachable,
            "unchecked": list(self.unchecked),
            "broken": self.broken,
            "mesh": self.mesh,
            "checks": [
                {
                    "host": check.host,
                    "role": check.role,
                    "check": check.name,
                    "passed": check.passed,
                    "message": check.message,
                    "seconds": check.seconds,
                }
                for check in self.checks
            ],
        }


def check(fleet: Fleet, folder: Path, words: str | None = None, *, deep: bool = False) -> CheckResult:
    """Run the suite for the hosts and roles of *fleet*; *words* is pytest's -k, *deep* also runs what takes long.

    Leaves junit.xml, check.json and check.log in *folder*. Raises UsageError when no check fits *words*.
    """
    raw = folder / "check.raw.json"
    log = folder / "check.log"
    with log.open("w", encoding="utf-8") as out:
        log.chmod(0o600)
        code = subprocess.run(
            [*_command(fleet, folder, raw, words), *(["--deep"] if deep else [])],
            cwd=paths.ROOT,
            env=_environment() | fleet.secrets.environment(()),
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    LOG.debug("pytest ended with %d", code)
    if words:
        _require_fit(words, code, log)
    result = _result(fleet, raw, code, log, narrowed=bool(words))
    raw.unlink(missing_ok=True)
    (folder / "check.json").write_text(json.dumps(result.as_json(), indent=1, ensure_ascii=False), encoding="utf-8")
    return result


def _command(fleet: Fleet, folder: Path, raw: Path, words: str | None) -> list[str]:
    modules = [str(SUITE / f"test_{role}.py") for role in fleet.roles]
    options = [
        "-q",
        "--tb=short",
        "--color=no",
        "-p",
        "no:cacheprovider",
        "-o",
        "empty_parameter_set_mark=fail_at_collect",
    ]
    ours = [
        f"--rendered={fleet.rendered}",
        f"--site-hosts={','.join(host.name for host in fleet.hosts)}",
        f"--results={raw}",
    ]
    chosen = [f"-k={words}"] if words else []
    return [sys.executable, "-m", "pytest", *options, f"--junitxml={folder / 'junit.xml'}", *ours, *chosen, *modules]


def _require_fit(words: str, code: int, log: Path) -> None:
    """Raise UsageError when *words* is no expression, or chooses nothing."""
    if code == PYTEST_NOTHING:
        raise UsageError(
            f"no check fits -k {words!r}; expected a part of a check's name, as `provision check --json` shows them"
        )
    if code == PYTEST_USAGE and BAD_EXPRESSION in log.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(f"-k {words!r} is no expression; expected words of names with and, or, not, as in pytest -k")


def _environment() -> dict[str, str]:
    # a person's own pytest options and plugins must not decide what is compliant
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}


def _result(fleet: Fleet, raw: Path, code: int, log: Path, *, narrowed: bool) -> CheckResult:
    names = tuple(host.name for host in fleet.hosts)
    ended, look = f"pytest ended with code {code}", f"see {paths.shown(log)}"
    try:
        document = json.loads(raw.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return CheckResult((), {}, names, f"{ended} and no results; {look}", names)
    checks = tuple(Check(**item) for item in document["checks"])
    unreachable = {host: why for host, why in document["unreachable"].items() if host in names}
    seen = {check.host for check in checks} | set(unreachable)
    unchecked = () if narrowed and checks else missing(names, seen)
    red = bool(unreachable) or any(not check.passed for check in checks)
    well = code == 0 or (code == PYTEST_FAILED and red)
    mesh = document.get("mesh")
    return CheckResult(checks, unreachable, unchecked, "" if well else f"{ended}; {look}", names, mesh)


def missing(wanted: Iterable[str], seen: set[str]) -> tuple[str, ...]:
    """Return the hosts of the site that no check has seen; empty is good."""
    return tuple(host for host in wanted if host not in seen)
