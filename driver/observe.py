"""Observe hosts: the read-only `host_state` program on each of them at the same time, one ssh each."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from driver.becoming import as_root
from driver.errors import Unreachable
from driver.fleet import Fleet
from driver.hostprogram import build_program
from driver.ssh import Answer, HostFault, Job, fan_out, fault

LOG = logging.getLogger(__name__)
LIMIT_SECONDS = 120.0
FROM_STDIN = ("-I", "-")  # isolated: no file of the login user's folder is imported, least of all as root
Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Observation:
    """What every host said (the documents of `host_state`), which ones could not be asked, and how long it took."""

    docs: dict[str, Doc]
    faults: dict[str, HostFault]
    seconds: float

    def require_all(self) -> None:
        """Raise Unreachable, one line per host, when a host could not be observed."""
        if self.faults:
            raise Unreachable("\n".join(str(found) for found in self.faults.values()))


def observe(
    fleet: Fleet, limit_seconds: float = LIMIT_SECONDS, done: Callable[[str], None] | None = None
) -> Observation:
    """Return the state of every host of *fleet*; *done* hears each host's name as it answers."""
    began = time.monotonic()
    command, before = as_root((fleet.python, *FROM_STDIN), fleet.secrets.become())
    jobs = {host.name: Job(command, before + build_program(host.wanted).encode()) for host in fleet.hosts}
    answers = fan_out(fleet.ssh_config, jobs, limit_seconds, (lambda answer: done(answer.host)) if done else None)
    docs: dict[str, Doc] = {}
    faults: dict[str, HostFault] = {}
    for name, answer in answers.items():
        found = _read(answer, limit_seconds, fleet.python)
        if isinstance(found, HostFault):
            LOG.debug("%s said on stderr: %s", name, answer.err)
            faults[name] = found
        else:
            docs[name] = found
    return Observation(docs, faults, time.monotonic() - began)


def _read(answer: Answer, limit_seconds: float, python: str) -> Doc | HostFault:
    """Return the document in *answer*, or why there is none."""
    found = fault(answer, limit_seconds, python)
    if found is not None:
        return found
    # a login shell may print a greeting in front; the program prints its document as one line, the last
    for line in reversed(answer.out.splitlines()):
        if line.startswith("{"):
            try:
                document = json.loads(line)
            except ValueError:
                break
            if isinstance(document, dict) and "drift" in document:
                return document
    start = answer.out.strip()[:120] or "nothing"
    advice = f"Look at what the login shell prints, and at `{python} --version` on the host"
    return HostFault(
        answer.host, "no document", f"the host answered with {start!r} in place of one JSON document", advice
    )
