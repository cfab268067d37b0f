"""The shipped sites render to the kept trees; when a change is meant: `python -m tests.golden.update`."""

from __future__ import annotations

import pytest

from tests.golden.update import SITES, kept, tree


@pytest.mark.parametrize("name", SITES)
def test_site_renders_to_its_golden_tree(name: str) -> None:
    now, before = tree(name), kept(name)
    assert sorted(now) == sorted(before)
    for path, text in now.items():
        assert text == before[path], (
            f"tests/golden/{name}/{path} differs; if that is meant: python -m tests.golden.update"
        )
