"""How a check says no: host, what was expected, what was found, in one line and without a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

import pytest

SHOWN = 400
BUILD = re.compile(r"[._+-]?b\d+$")


def fail(host: Any, subject: str, expected: object, found: object) -> None:
    """End the check as failed."""
    pytest.fail(
        f"{host.backend.get_hostname()}: {subject}: expected {_short(expected)}, found {_short(found)}", pytrace=False
    )


def equal(host: Any, subject: str, expected: object, found: object) -> None:
    """Fail unless both are the same."""
    if found != expected:
        fail(host, subject, expected, found)


def true(host: Any, subject: str, good: object, expected: str, found: object) -> None:
    """Fail unless *good*; *expected* and *found* say it in words."""
    if not good:
        fail(host, subject, expected, found)


def output(host: Any, subject: str, command: str, *words: str) -> str:
    """Return the output of a command that has to end well, without blanks around it; fail with what it said."""
    result = host.run(command, *words)
    if result.rc != 0:
        said = (result.stderr.strip() or result.stdout.strip() or "no output").splitlines()[-1]
        fail(host, subject, "an answer", f"`{command.split(maxsplit=1)[0]}` ended with code {result.rc}: {said}")
    return str(result.stdout).strip()


def content(host: Any, path: str) -> str:
    """Return the text of a file; fail when it can not be read."""
    result = host.run("cat %s", path)
    if result.rc != 0:
        fail(host, path, "a file", (result.stderr.strip() or "none").rpartition(": ")[2])
    return str(result.stdout)


def is_same_version(wanted: str, found: str) -> bool:
    """Return whether both are one version: case and a leading v do not count, nor a build that only one of them names.

    25.0.rc1.b080 is a build of 25.0.rc1, but not the one that 25.0.rc1.b090 is.
    """
    mine, theirs = (text.strip().lower().removeprefix("v") for text in (wanted, found))
    return mine == theirs or BUILD.sub("", mine) == theirs or mine == BUILD.sub("", theirs)


def same_version(host: Any, subject: str, wanted: str, found: str) -> None:
    """Fail unless both are the same version, however they are spelled."""
    true(host, subject, is_same_version(wanted, found), wanted, found)


def version(text: str) -> list[int]:
    """Return the numbers of a version, to compare it with another one by value."""
    return [int(number) for number in re.findall(r"\d+", text)]


def at_least(found: str, wanted: str) -> bool:
    """Return whether one version is not older than another; a missing part counts as 0."""
    pairs = zip_longest(version(found), version(wanted), fillvalue=0)
    return next((mine > theirs for mine, theirs in pairs if mine != theirs), True)


def within(wanted: object, found: object) -> bool:
    """Return whether *found* holds everything that *wanted* says; it may hold more keys and more list items."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and within(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(item in found for item in wanted)
    return wanted == found


def listed(words: Iterable[object]) -> str:
    """Return words with commas, or that there is none."""
    return ", ".join(map(str, words)) or "none"


def _short(value: object) -> str:
    text = " ".join(str(value).split()) if not isinstance(value, str) or "\n" in value else value
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
