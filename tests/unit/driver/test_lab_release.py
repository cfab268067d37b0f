"""The release of the lab states what the lab builds."""

from __future__ import annotations

from pathlib import Path

from tests.golden.release import RELEASE, with_sums
from tests.lab import vendor


def test_sums_are_those_of_the_packages(tmp_path: Path) -> None:
    built = {path.name: path for path in vendor.build(tmp_path)}
    text = RELEASE.read_text(encoding="utf-8")
    assert text.count("sha256:") == 5
    assert with_sums(text, built) == text, "the stand-ins have changed: python -m tests.golden.update"
