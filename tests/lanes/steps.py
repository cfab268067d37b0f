"""The steps of a lane's life, in order: the rows of its tests and the columns of the matrix."""

from __future__ import annotations

import os

from tests.lab.site import lanes

STEPS = {
    "dry-run": "up --check on the bare host changes nothing",
    "up": "up from bare",
    "prediction": "what up did is what --check said",
    "second-up": "a second up changes nothing",
    "check": "check is green",
    "down": "down",
    "rebuild": "rebuild: purge, up again, check",
    "purge": "down --purge leaves what is listed",
}
SENTENCES = {
    "dry-run": "check.nothing",
    "prediction": "check.prediction",
    "down": "removal.services",
    "rebuild": "removal.rebuild",
    "purge": "removal.nothing-left",
}
"""Which sentence of the issue a step proves, besides the one of its lane."""
FLEET = "fleet"
FLEETS = {"lanes/a-host-that-does-not-come-back-ends-the-reboots": "reboot.batches"}
"""Tests of several lanes together -> the sentence that they prove."""
LANES_OF = {
    "lane.systems": ("debian11", "debian12", "debian13", "ubuntu2204", "rpm"),
    "lane.aarch64": ("arm64",),
    "lane.python37": ("py37",),
    "lane.cards": ("a3", "duo"),
    "lane.machine": ("vm",),
    "system.python37": ("py37",),
    "system.architectures": ("arm64",),
}
"""Which lanes a sentence of the issue asks for."""


def sentence(lane: str, step: str) -> str:
    """Return the key of the sentence that *step* on *lane* proves."""
    own = next((key for key, names in LANES_OF.items() if lane in names), "")
    return SENTENCES.get(step, own)


def proven_by(key: str) -> list[str]:
    """Return the tests of lanes that prove the sentence *key*, as they are named: lane, or step on every lane."""
    own = [f"{step} on every lane" for step, sentence_key in SENTENCES.items() if sentence_key == key]
    together = [name for name, sentence_key in FLEETS.items() if sentence_key == key]
    return [*own, *LANES_OF.get(key, ()), *together]


def wanted() -> list[lanes.Lane]:
    """Return the lanes to play: those that LANES names with commas (`all`, `slow`), else all that are not slow."""
    names = os.environ.get("LANES", "")
    if not names:
        return [lane for lane in lanes.lanes() if not lane.slow]
    if names == "slow":
        return [lane for lane in lanes.lanes() if lane.slow]
    return lanes.chosen(names.split(","))
