"""Plays each situation: bring the host to its state, let it happen, run the product, look at what it said and did."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .host import Done, Host, filled
from .schema import DEFAULT_LANE, STATES, Situation, Step, load


def in_order() -> list[Any]:
    """Return all situations as parameters: lanes of one host first, then by state: a state is used again."""
    situations = sorted(
        load(), key=lambda one: (one.lane == DEFAULT_LANE, one.lane, STATES.index(one.state), one.spoils)
    )
    return [pytest.param(one, id=one.slug) for one in situations]


@pytest.mark.parametrize("situation", in_order())
def test_situation(
    situation: Situation, host_of: Callable[[str], Host], record_property: Callable[[str, object], None]
) -> None:
    for key in ("area", "sentence", "lane", "state", "name"):
        record_property(key, getattr(situation, key))
    host = host_of(situation.lane)
    one = situation.model_validate(filled(situation.model_dump(), host.place))
    host.reach(one.state)
    try:
        site = host.site(one.site, "site", one.files)
        prepare(site, one.prepare)
        for step in one.steps:
            play(host, site, step, one.env)
    except BaseException:
        host.spoil()
        raise
    leave(host, one)


def prepare(site: Path, lines: list[str]) -> None:
    """Run shell lines on this machine, in the folder of the site."""
    for line in lines:
        done = subprocess.run(["sh", "-c", line], cwd=site, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"prepare: {line}: {done.stdout}{done.stderr}"


def play(host: Host, site: Path, step: Step, env: dict[str, str]) -> None:
    for line in step.before:
        host.shell(line)
    if step.untouched:
        host.footprint("take")
    done = host.provision(site, shlex.split(step.run), env, step.timeout_seconds)
    judge(host, step, done)


def judge(host: Host, step: Step, done: Done) -> None:
    """Compare what was expected with what was printed and with what the host is now; all faults at once."""
    faults = [] if done.code == step.code else [f"exit code {done.code}, expected {step.code}"]
    faults += [f"does not say: {text}" for text in step.says if " ".join(text.split()) not in done.flat]
    faults += [f"says: {text}" for text in step.says_not if " ".join(text.split()) in done.flat]
    if step.untouched:
        faults += [f"touched: {line}" for line in host.footprint("compare")]
    for line, pattern in step.after.items():
        found = host.shell(line, check=False)
        if not re.search(pattern, found):
            faults.append(f"{line}: {found!r} does not match {pattern!r}")
    assert not faults, "\n".join([f"provision {done.words}:", *faults, "--- it printed:", done.output])


def leave(host: Host, situation: Situation) -> None:
    """Bring the host back, and prove that it is back: the one to blame for a leftover is the situation that left it."""
    for line in situation.cleanup:
        host.shell(line)
    if situation.spoils:
        host.spoil()
        return
    astray = host.astray(situation.state)
    if astray:
        host.spoil()
        pytest.fail(f"the host is not {situation.state} any more; give cleanup lines, or fresh: true\n{astray}")
