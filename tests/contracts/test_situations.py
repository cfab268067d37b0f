"""Guards on the situations: every sentence of the issue has one, and the matrix in docs is about those there are."""

from __future__ import annotations

import re

import pytest

from tests.lab.site import lanes
from tests.lanes import matrix, steps
from tests.situations import schema

SENTENCES = schema.sentences()


def test_every_situation_is_readable_and_proves_a_known_sentence() -> None:
    for situation in schema.load():
        assert situation.sentence in SENTENCES, f"{situation.slug}: {situation.sentence} is not in sentences.yml"


def test_every_situation_has_a_lane_that_exists() -> None:
    known = {lane.name for lane in lanes.lanes()}
    for situation in schema.load():
        assert situation.lane in known, f"{situation.slug}: lane {situation.lane}"


@pytest.mark.parametrize("key", SENTENCES)
def test_every_sentence_is_proven_on_a_host(key: str) -> None:
    proofs = [situation.slug for situation in schema.load() if situation.sentence == key]
    assert proofs or steps.proven_by(key), f"{key}: {SENTENCES[key]}"


def test_every_proof_of_a_lane_is_a_sentence_and_a_lane_that_exists() -> None:
    known = {lane.name for lane in lanes.lanes()}
    for key, names in steps.LANES_OF.items():
        assert key in SENTENCES
        assert set(names) <= known, f"{key}: {sorted(set(names) - known)}"
    assert {*steps.SENTENCES.values(), *steps.FLEETS.values()} <= set(SENTENCES)


def test_every_test_of_several_lanes_exists() -> None:
    code = (matrix.DOCUMENT.parents[1] / "tests/lanes/test_reboots.py").read_text(encoding="utf-8")
    names = {matrix.fleet_name(name) for name in re.findall(r"^def (test_\w+)", code, re.MULTILINE)}
    assert names == set(steps.FLEETS)


def test_the_matrix_is_about_the_situations_and_lanes_that_there_are() -> None:
    results = matrix.known()
    wanted = {(situation.lane, situation.slug) for situation in schema.load()}
    wanted |= {(lane.name, step) for lane in lanes.lanes() for step in steps.STEPS}
    wanted |= {(steps.FLEET, name) for name in steps.FLEETS}
    assert set(results) == wanted, "run `make situations lanes`, which write docs/matrix.md"


@pytest.mark.parametrize(
    ("lane", "result", "faults"), [("arm64", "not run", 0), ("arm64", "FAILED", 1), ("a3", "not run", 1)]
)
def test_only_a_slow_lane_may_wait(lane: str, result: str, faults: int) -> None:
    assert len(matrix.red({(lane, "up"): result, ("a3", "check"): matrix.OK})) == faults
