"""Small programs of our own that a check runs on a host, with the Python that the inventory names."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.compliance import judge

FOLDER = Path(__file__).with_name("probes")


@cache
def source(name: str) -> str:
    return (FOLDER / f"{name}.py").read_text(encoding="utf-8")


def ask(host: Any, expected: dict[str, Any], subject: str, name: str, *words: str) -> dict[str, Any]:
    """Return the JSON document that probe *name* prints on the host.

    Python runs isolated: no file of the folder that the login starts in is imported as root.
    """
    command = " ".join(["%s -I -c %s", *("%s" for _ in words)])
    text = judge.output(host, subject, command, expected["ansible_python_interpreter"], source(name), *words)
    document: dict[str, Any] = json.loads(text.splitlines()[-1])
    return document
