"""The models: whole on every host, at the path of the inventory."""

from __future__ import annotations

from typing import Any

from tests.compliance import judge, probe


def test_model_is_whole(host: Any, expected: dict[str, Any], model: dict[str, Any]) -> None:
    subject = f"model {model['name']} in {model['path']}"
    found = probe.ask(host, expected, subject, "model_files", model["path"])
    bad = judge.listed(f"{name}: {why}" for name, why in found["bad"].items())
    judge.equal(host, f"{subject}: files that are not whole", "none", bad)
    judge.true(host, subject, found["shards"] > 0, "at least one file of weights", "none")
