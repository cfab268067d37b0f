"""Run a playbook: the only place that knows ansible-runner."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

from driver import paths
from driver.errors import SiteError
from driver.events import Event, Failure, compact
from driver.fleet import Fleet
from driver.request import Request
from driver.scrub import scrub
from driver.tally import Tally

LOG = logging.getLogger(__name__)
MOST_FORKS = 50


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one playbook run left behind; times in seconds, `seconds` by host and role, `slowest` by task.

    `tasks` are those that changed something, by host and role; in a dry run those that would have.
    """

    status: str
    failed: frozenset[str]
    unreachable: frozenset[str]
    changed: dict[str, int]
    failures: tuple[Failure, ...]
    seconds: dict[str, dict[str, float]]
    slowest: tuple[tuple[str, float], ...]
    log: Path
    tasks: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Return whether every host did everything."""
        return self.status == "successful" and not self.failed and not self.unreachable


class Running:
    """A playbook that is running in the background."""

    def __init__(self, fleet: Fleet, request: Request, folder: Path, on_event: Callable[[Event], None]) -> None:
        """Start the playbook; everything it writes goes below *folder*."""
        if not fleet.inventory.is_file():
            raise SiteError(f"{paths.shown(fleet.inventory)}: not rendered yet; run `provision render` first")
        self._private = folder / "ansible"
        self._private.mkdir(mode=0o700)  # never an old one: that would mix two runs
        number = len(list(folder.glob("ansible*.log"))) + 1
        self._log = folder / ("ansible.log" if number == 1 else f"ansible-{number}.log")
        self._events = folder / "events.jsonl"
        self._tally = Tally()
        self._on_event = on_event
        self._stopped = False
        self._thread, self._runner = ansible_runner.run_async(
            private_data_dir=str(self._private),
            project_dir=str(paths.ROOT),
            inventory=str(fleet.inventory),
            ident="run",
            binary=sys.executable,
            cmdline=shlex.join(_command(request)),
            limit=",".join(request.hosts) or None,
            tags=",".join(request.tags) or None,
            extravars=request.extra_vars or None,
            forks=min(max(len(request.hosts or fleet.hosts), 1), MOST_FORKS),
            envvars=_environment() | fleet.secrets.environment(_roles(fleet, request)),
            settings={"pexpect_timeout": 1},
            fact_cache_type="memory",  # the default writes every host's facts to disk
            suppress_env_files=True,
            quiet=True,
            event_handler=self._take,
            status_handler=self._status,
            cancel_callback=lambda: self._stopped,
        )

    def alive(self) -> bool:
        """Return whether the playbook is still running."""
        return bool(self._thread.is_alive())

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, at most *seconds*."""
        self._thread.join(seconds)

    def stop(self) -> None:
        """End it and everything below it; returns when that is done."""
        self._stopped = True
        for pid in _children(self._thread):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        self._thread.join()

    def result(self) -> RunResult:
        """Return what it left behind, once it has ended; what ansible-runner kept for itself is removed."""
        self._thread.join()
        output = self._private / "artifacts/run/stdout"
        if output.exists():
            text = scrub(output.read_text(encoding="utf-8", errors="replace"))
            self._log.touch(mode=0o600)
            self._log.write_text(text, encoding="utf-8")
        shutil.rmtree(self._private, ignore_errors=True)
        tally = self._tally
        failures = tally.failures or self._without_events()
        return RunResult(
            status=str(self._runner.status),
            failed=frozenset(tally.stats.get("failures", {})),
            unreachable=frozenset(tally.stats.get("dark", {})),
            changed=dict(tally.stats.get("changed", {})),
            failures=tuple(failures),
            seconds=tally.seconds_by_role(),
            slowest=tuple(tally.slowest()),
            log=self._log,
            tasks=tally.changed_by_role(),
        )

    def _without_events(self) -> list[Failure]:
        """Return a failure made of the output when Ansible ended badly before its first task."""
        if self._runner.status == "successful" or self._stopped:
            return []
        text = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        return [Failure("(all hosts)", "", "start Ansible", text or f"ansible-playbook ended: {self._runner.status}")]

    def _take(self, raw: dict[str, Any]) -> bool:
        event = compact(raw)
        if event is not None:
            self._tally.add(event)
            with self._events.open("a", encoding="utf-8") as file:
                file.write(event.line() + "\n")
            self._on_event(event)
        return False  # no file per event

    def _status(self, data: dict[str, Any], runner_config: object) -> None:
        del runner_config
        LOG.debug("ansible-runner: %s", data["status"])
        if data["status"] == "running":
            # it holds the whole environment of this process, secrets included
            (self._private / "artifacts/run/command").unlink(missing_ok=True)


def _command(request: Request) -> list[str]:
    """Return what Python has to run: the leash, and Ansible on it."""
    ansible = Path(sys.executable).with_name("ansible-playbook")
    leash = [str(Path(__file__).with_name("leash.py")), str(request.lock), str(os.getpid())]
    mode = ["--check", "--diff"] if request.check else []
    return [*leash, sys.executable, str(ansible), str(paths.PLAYBOOKS / request.playbook), *mode]


def _roles(fleet: Fleet, request: Request) -> tuple[str, ...]:
    """Return the roles that are played and may need secrets; taking something away needs none."""
    return () if request.removes else request.tags or fleet.roles


def _environment() -> dict[str, str]:
    return {
        "ANSIBLE_CONFIG": str(paths.ROOT / "ansible.cfg"),
        "ANSIBLE_HOST_KEY_CHECKING": "True",  # ansible-runner switches it off unless told
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "LC_ALL": "C.UTF-8",
    }


def _children(thread: threading.Thread) -> list[int]:
    """Return the processes that *thread* started: the leash."""
    file = Path(f"/proc/self/task/{thread.native_id}/children")
    try:
        return [int(pid) for pid in file.read_text(encoding="ascii").split()]
    except OSError:
        return []
