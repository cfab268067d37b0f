"""Wait until a unit's program answers, and stop waiting as soon as it can not: a crash loop is no slow start."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Callable, Dict, List, Tuple

from .errors import RefusedError
from .progress import Progress

POLL_SECONDS = 2.0
PROBE_SECONDS = 10.0
LOG_LINES = 30
# A program may start before what it needs; one that keeps ending does not get better by waiting.
MOST_RESTARTS = 5


@dataclass
class Wait:
    """One unit, how long it may take, and what its journal says meanwhile."""

    unit: str
    timeout_seconds: float
    most_restarts: int = MOST_RESTARTS


# Returns whether it is ready, and what was seen.
Probe = Callable[[], Tuple[bool, str]]


def http_probe(url: str) -> Probe:
    """Return a probe that is content with status 200 of *url*; the site's proxy is not asked for a host of the site."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def probe() -> Tuple[bool, str]:
        try:
            with opener.open(url, timeout=PROBE_SECONDS) as answer:
                return answer.getcode() == 200, f"{url} answers {answer.getcode()}"
        except urllib.error.HTTPError as error:
            return False, f"{url} answers {error.code}"
        except OSError as error:
            return False, f"{url}: {getattr(error, 'reason', error)}"

    return probe


def resource_total(text: str, resource: str) -> Tuple[float, float]:
    """Return used and total of *resource* in the text of `ray status`, (0, 0) when it is not there."""
    found = re.search(rf"^\s*([\d.]+)/([\d.]+)\s+{re.escape(resource)}\b", text, re.MULTILINE)
    return (float(found.group(1)), float(found.group(2))) if found else (0.0, 0.0)


def ray_probe(container: str, resource: str, total: float) -> Probe:
    """Return a probe that is content when Ray in *container* counts *total* of *resource*."""

    def probe() -> Tuple[bool, str]:
        rc, text = command(["docker", "exec", container, "ray", "status"], PROBE_SECONDS * 3)
        if rc != 0:
            return False, f"ray status ended with code {rc}: {(text.strip().splitlines() or ['nothing'])[-1][:200]}"
        seen = resource_total(text, resource)[1]
        return seen == total, f"Ray counts {seen:g} {resource}, expected {total:g}"

    return probe


def command(argv: List[str], timeout_seconds: float) -> Tuple[int, str]:
    """Return code and text of *argv*; a time-out is code 124."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {timeout_seconds:.0f} s"
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def unit_state(unit: str) -> Dict[str, str]:
    """Return ActiveState, SubState, Result and NRestarts of *unit*."""
    _, text = command(
        ["systemctl", "show", unit, "--property=ActiveState,SubState,Result,NRestarts,LoadState"], PROBE_SECONDS
    )
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def journal(unit: str, lines: int = LOG_LINES) -> str:
    """Return the last *lines* that *unit* wrote."""
    return command(
        ["journalctl", "--unit", unit, "--lines", str(lines), "--no-pager", "--output", "cat"], PROBE_SECONDS
    )[1].rstrip()


def wait(what: Wait, probe: Probe, progress: Progress) -> float:
    """Return the seconds until *probe* was content. Raises RefusedError with the unit's last log lines."""
    began = time.monotonic()
    restarts_before = int(unit_state(what.unit).get("NRestarts") or 0)
    while True:
        ready, seen = probe()
        seconds = time.monotonic() - began
        if ready:
            return round(seconds, 1)
        fault = _fault(what, unit_state(what.unit), restarts_before, seconds)
        if fault:
            log = f"Its log (journalctl --unit {what.unit}) ends with:\n{journal(what.unit)}"
            raise RefusedError(f"{what.unit} {fault}; {seen}. {log}")
        last = (journal(what.unit, 1).splitlines() or [""])[-1]
        progress.update(0, f"wait for {what.unit}: {last[:120] or seen}")
        time.sleep(POLL_SECONDS)


def _fault(what: Wait, state: Dict[str, str], restarts_before: int, seconds: float) -> str:
    """Return why waiting on is useless, "" when it is not."""
    restarts = int(state.get("NRestarts") or 0) - restarts_before
    if state.get("LoadState") == "not-found":
        return "does not exist"
    if state.get("ActiveState") in {"failed", "inactive"}:
        return f"is {state['ActiveState']} ({state.get('Result')})"
    if restarts >= what.most_restarts:
        return f"has ended and been started again {restarts} times in {seconds:.0f} s"
    if seconds > what.timeout_seconds:
        return f"was not ready after {what.timeout_seconds:.0f} s"
    return ""
