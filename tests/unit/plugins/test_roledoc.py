"""The README of a role repeats its argument_specs and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver.roledoc import variables_block, with_block

SPECS = """
argument_specs:
  main:
    options:
      x_mode: {type: str, default: a, choices: [a, b], description: How it works.}
      x_items:
        type: list
        elements: dict
        required: true
        description: What there is, a | b.
        options:
          name: {type: str, required: true, description: Its name.}
"""


def test_every_option_has_a_row(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/argument_specs.yml").write_text(SPECS)
    assert variables_block(tmp_path).splitlines()[2:] == [
        '| `x_mode` | str | `"a"` | How it works. One of `a`, `b`. |',
        "| `x_items` | list of dict | required | What there is, a \\| b. |",
        "| &nbsp;&nbsp;`.name` | str | required | Its name. |",
    ]


def test_the_block_is_put_between_the_marks() -> None:
    assert with_block("a\n<!-- variables -->\nold\n<!-- /variables -->\nb\n", "new") == (
        "a\n<!-- variables -->\nnew\n<!-- /variables -->\nb\n"
    )
    with pytest.raises(ValueError, match="the README has no"):
        with_block("nothing", "new")
