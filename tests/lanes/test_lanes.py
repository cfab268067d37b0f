"""The steps of steps.py, each played for all lanes at once and judged lane by lane."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.site.lanes import Lane

from . import remains, steps
from .track import Outcome, Track, make_bare, tracks

NEEDED = ("up",)
"""Without these a lane has nothing that later steps could be about."""
SHARED = {"Make the folder for the mark"}
"""Two roles announce it, because neither has done it yet; then the first of them does."""
STAYS = {"host_baseline", "docker_engine"}
"""Roles whose packages a purge leaves, so that there may be nothing to bring again."""
CASES = [pytest.param(lane, step, id=f"{lane.name}/{step}") for step in steps.STEPS for lane in steps.wanted()]


@pytest.fixture(scope="session")
def track_of() -> Iterator[Callable[[Lane], Track]]:
    """Yield a function from a lane to the track that it is played in; its hosts are bare when it is first asked for."""
    made = tracks(steps.wanted())
    begun: set[str] = set()

    def get(lane: Lane) -> Track:
        track = next(one for one in made.values() if lane in one.members)
        if track.name not in begun:
            begun.add(track.name)
            make_bare(track)
            track.footprints("bare", "take", "bare")
        return track

    yield get


@pytest.mark.parametrize(("lane", "step"), CASES)
def test_lane(
    lane: Lane, step: str, track_of: Callable[[Lane], Track], record_property: Callable[[str, object], None]
) -> None:
    for key, value in {"lane": lane.name, "step": step, "sentence": steps.sentence(lane.name, step)}.items():
        record_property(key, value)
    track = track_of(lane)
    if lane.name in track.red:
        pytest.fail(f"{lane.name} was red already at {track.red[lane.name]}")
    try:
        PLAYS[step](track, lane)
    except BaseException:
        if step in NEEDED:
            track.red[lane.name] = step
        raise


def dry_run(track: Track, lane: Lane) -> None:
    outcome = track.once("dry-run", "up", "--check")
    good(outcome, lane, "ok")
    track.footprints("dry-run", "compare", "bare")
    same(track, "dry-run", lane)
    assert changes(outcome, lane), "the plan of a bare host is empty"


def up(track: Track, lane: Lane) -> None:
    good(track.once("up", "up", "--yes"), lane, "ok")


def prediction(track: Track, lane: Lane) -> None:
    """Roles, tasks and reboots: what the dry run announced is what happened, and nothing else did."""
    dry, real = track.outcomes["dry-run"], track.outcomes["up"]
    assert changes(dry, lane) == changes(real, lane)
    announced = {change["role"] for change in changes(dry, lane)}
    did = changed_tasks(track, real, lane)
    would = changed_tasks(track, dry, lane)
    assert {role for role, _ in did if role != "reboot"} == announced
    assert {role for role, _ in would if role != "reboot"} == announced
    idle = {task for _, task in would - did} - SHARED
    assert not idle, f"announced, and changed nothing then: {sorted(idle)}"
    track.footprints("up", "compare", "bare")
    rebooted = "rebooted" in track.prints["up", lane.name]
    assert rebooted == dry.document["plan"]["hosts"][lane.name]["reboot"]


def second_up(track: Track, lane: Lane) -> None:
    track.footprints("before second up", "take", "up")
    outcome = track.once("second-up", "up", "--yes")
    good(outcome, lane, "ok")
    assert changes(outcome, lane) == []
    track.footprints("second-up", "compare", "up")
    same(track, "second-up", lane)


def check(track: Track, lane: Lane) -> None:
    outcome = track.once("check", "check")
    good(outcome, lane, "ok")
    seen = [one for one in outcome.document["check"]["checks"] if one["host"] == lane.name]
    assert len(seen) > len(changes(track.outcomes["up"], lane)), seen
    assert all(one["passed"] for one in seen)


def down(track: Track, lane: Lane) -> None:
    good(track.once("down", "down", "--yes"), lane, "ok")
    track.footprints("down", "compare", "up")
    same(track, "down", lane)  # nothing is served here, so there is nothing to take down


def purge(track: Track, lane: Lane) -> None:
    good(track.once("purge", "down", "--purge", "--yes"), lane, "ok")
    track.footprints("purge", "compare", "bare")
    left = remains.unexplained(track.prints["purge", lane.name])
    assert not left, "\n".join(["a purge left, without a reason in remains.yml:", *left])


def rebuild(track: Track, lane: Lane) -> None:
    """What the purge took away is brought again; packages, account and engine stayed."""
    outcome = track.once("rebuild", "rebuild", "--yes")
    good(outcome, lane, "ok")
    again = {change["role"] for change in changes(outcome, lane)}
    first = {change["role"] for change in changes(track.outcomes["up"], lane)}
    assert again <= first
    assert first - again <= STAYS, f"not brought again: {sorted(first - again)}"


PLAYS: dict[str, Callable[[Track, Lane], None]] = {
    "dry-run": dry_run,
    "up": up,
    "prediction": prediction,
    "second-up": second_up,
    "check": check,
    "down": down,
    "rebuild": rebuild,
    "purge": purge,
}


def good(outcome: Outcome, lane: Lane, state: str) -> None:
    """Judge one lane; a run that failed for another one only is that one's fault."""
    found = outcome.of(lane.name)
    assert found, f"code {outcome.code}, no report:\n{outcome.output}"
    failures = [one for one in outcome.document["failures"] if one["host"] == lane.name]
    assert (found["state"], failures) == (state, []), f"code {outcome.code}\n{outcome.document['error']}"
    others = [name for name, host in outcome.document["hosts"].items() if host["state"] != state]
    assert outcome.code == 0 or others, f"code {outcome.code}\n{outcome.document['error']}"


def same(track: Track, step: str, lane: Lane) -> None:
    """Fail with everything on the lane's host that *step* touched."""
    touched = track.prints[step, lane.name]
    assert not touched, "\n".join([f"{step} touched:", *touched])


def changes(outcome: Outcome, lane: Lane) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = outcome.document["plan"]["hosts"][lane.name]["changes"]
    return found


def changed_tasks(track: Track, outcome: Outcome, lane: Lane) -> set[tuple[str, str]]:
    """Return role and task of everything that a run changed on a lane, or would have."""
    events = Path(track.folder / "runs" / outcome.document["run"] / "events.jsonl").read_text(encoding="utf-8")
    found = [json.loads(line) for line in events.splitlines()]
    return {
        (event.get("role", "reboot"), event["task"])
        for event in found
        if event.get("host") == lane.name and event.get("changed")
    }
