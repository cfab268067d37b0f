"""The models: whole on every host, at the path of the inventory, and of the content that site.lock has."""

from __future__ import annotations

import json
from typing import Any

from tests.compliance import judge, probe


def test_model_is_whole(host: Any, expected: dict[str, Any], model: dict[str, Any], request: Any) -> None:
    deep = "deep" if request.config.getoption("--deep") else ""
    subject = f"model {model['name']} in {model['path']}"
    listed = json.dumps([{key: entry[key] for key in ("path", "size", "sha256")} for entry in model["files"]])
    found = probe.ask(host, expected, subject, "model_files", model["path"], listed, deep)
    bad = judge.listed(f"{name}: {why}" for name, why in found["bad"].items())
    judge.equal(host, f"{subject}: files that are not whole", "none", bad)
    judge.equal(host, f"{subject}: what a download has left", "none", judge.listed(found["begun"]))
    judge.true(host, subject, found["shards"] > 0, "at least one file of weights", "none")
    if found["origin"] is None:
        return  # a person put it there: nobody has said what it is
    if model["files"]:
        judge.equal(host, f"{subject}: files unlike site.lock", "none", judge.listed(found["other"]))
    else:
        judge.equal(host, f"{subject}: repository and revision", [model["repo"], model["revision"]], found["origin"])
