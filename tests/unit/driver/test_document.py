"""YAML without its surprises."""

from __future__ import annotations

import pytest

from driver import resolve
from driver.errors import SiteError

from .conftest import Workshop


def refusal(workshop: Workshop, text: str) -> str:
    with pytest.raises(SiteError) as caught:
        resolve.load(workshop.text(text))
    assert len(caught.value.lines) == 1, caught.value.lines
    return caught.value.lines[0].removeprefix(f"{workshop.folder}/")


def test_invalid_yaml_has_line_and_column(workshop: Workshop) -> None:
    assert refusal(workshop, "site: lab\nhosts:\n  a: b: c\n") == (
        "site.yml: line 3, column 7: found invalid YAML (mapping values are not allowed here); "
        "expected a YAML mapping; correct it"
    )


def test_duplicate_key_is_refused(workshop: Workshop) -> None:
    assert refusal(workshop, "site: lab\nrelease: lab\nsite: prod\n").startswith(
        "site.yml: line 3, column 1: found invalid YAML (the key site stands twice (first in line 1))"
    )


def test_empty_file_is_refused(workshop: Workshop) -> None:
    assert refusal(workshop, "# nothing yet\n").startswith("site.yml: found an empty file; expected a YAML mapping")


def test_list_is_refused(workshop: Workshop) -> None:
    assert refusal(workshop, "- site\n").startswith("site.yml: found a list; expected a YAML mapping of keys")


def test_binary_is_refused(workshop: Workshop) -> None:
    (workshop.folder / "site.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SiteError, match="found a file that cannot be read"):
        resolve.load(workshop.folder)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("site: 2025-02-30\n", "line 1, column 7: found invalid YAML (2025-02-30 is read as a timestamp, and is none)"),
        ("!!map site\n", "line 1, column 1: found invalid YAML (a mapping was announced and is none)"),
        ("site: a\0b\n", "found invalid YAML (special characters are not allowed)"),
        ("lab\n", "found one value; expected a YAML mapping of keys"),
        ("site: " + "[" * 5000, "found values that are nested without end"),
        ("site: &a [*a]\n", "found more than 200000 values"),
        (
            "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9 if n else 'x'}]\n" for n in range(9)),
            "found more than 200000 values",
        ),
        ("a: b\n" * 300_000, "found more than 1048576 characters"),
    ],
)
def test_hostile_text_is_refused_in_one_line(workshop: Workshop, text: str, found: str) -> None:
    assert refusal(workshop, text).startswith(f"site.yml: {found}")


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("24.10", "24.1, a number to YAML"),
        ("on", "True, a boolean to YAML"),
        ("12:30", "750, a number to YAML"),
        ("2025-01-01", "datetime.date(2025, 1, 1), a date to YAML"),
    ],
)
def test_what_yaml_changes_is_to_be_quoted(workshop: Workshop, written: str, found: str) -> None:
    text = (
        (workshop.write() / "site.yml").read_text(encoding="utf-8").replace("version: v0.23.0", f"version: {written}")
    )
    assert refusal(workshop, text) == (
        f"site.yml: services.0.version: found {found}; expected text; "
        "write the value in quotes, so that YAML does not change it"
    )


def test_lock_with_a_wrong_digest_is_refused(workshop: Workshop) -> None:
    folder = workshop.write()
    (folder / "site.lock").write_text("images: {a: latest}\n", encoding="utf-8")
    with pytest.raises(SiteError, match=r"site\.lock: images\.a: found 'latest'"):
        resolve.load(folder)
