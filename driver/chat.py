"""One chat completion from every service of a site: the last proof that it serves."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from driver.fleet import Fleet, Service
from driver.ssh import Answer, Job, fan_out, fault

QUESTION = "Say hello in one short sentence."
TOKENS = 32
LIMIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What one service answered: `answer` or `error`, the other one is empty; seconds as seen from here."""

    service: str
    url: str
    question: str
    answer: str
    error: str
    seconds: float


def ask_all(fleet: Fleet) -> list[Reply]:
    """Ask every service of *fleet* one question, through ssh on the host that serves it."""
    return [_ask(fleet, service) for service in fleet.services()]


def _ask(fleet: Fleet, service: Service) -> Reply:
    program = Path(__file__).with_name("ask_program.py").read_bytes()
    words = [fleet.python, "-I", "-", service.base_url, service.served_name, QUESTION, str(TOKENS), str(LIMIT_SECONDS)]
    began = time.monotonic()
    limit = LIMIT_SECONDS + 20
    answers = fan_out(fleet.ssh_config, {service.host: Job((shlex.join(words),), program)}, limit)
    answer, error = _read(answers[service.host], limit, fleet.python)
    return Reply(service.name, service.base_url, QUESTION, answer, error, round(time.monotonic() - began, 2))


def _read(answer: Answer, limit: float, python: str) -> tuple[str, str]:
    """Return the answer and the error in what came back."""
    found = fault(answer, limit, python)
    if found is not None:
        return "", str(found)
    try:
        document = json.loads(answer.out.splitlines()[-1])
    except (ValueError, IndexError):
        return "", f"{answer.host}: answered {answer.out[:200]!r} in place of one JSON document"
    return str(document.get("answer", "")), str(document.get("error", ""))
