"""What a situation file may say, how it changes a site, and how results become the matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lanes import matrix, remains
from tests.situations import schema
from tests.situations.host import merged

GOOD = {"name": "a long enough name", "sentence": "driver.downgrade", "says": ["something"]}


def load(tmp_path: Path, *entries: dict[str, Any]) -> list[schema.Situation]:
    (tmp_path / "driver.yml").write_text(yaml.safe_dump(list(entries)), encoding="utf-8")
    return schema.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"state": "broken"}, "driver.yml: a long enough name: state: Input should be 'bare', 'based', 'installed'"),
        ({"sayz": ["x"]}, "sayz: Extra inputs are not permitted"),
        ({"says": []}, "nothing is expected besides the code"),
        ({"says": [], "code": 5, "untouched": True}, "code 5 without says: a refusal is tested by its message"),
        ({"after": {"true": "("}}, "a regular expression"),
        ({"sentence": "driver"}, "sentence: String should match pattern"),
        ({"then": [{"run": "plan"}]}, "then.0: Value error, nothing is expected"),
    ],
)
def test_a_faulty_situation_is_refused_by_file_and_name(change: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"driver\.yml") as caught:
        load(tmp_path, {**GOOD, **change})
    assert text in str(caught.value)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="driver/a-long-enough-name: this name is given twice"):
        load(tmp_path, GOOD, {**GOOD, "name": "A long, enough name"})


@pytest.mark.parametrize(
    ("change", "spoils"),
    [
        ({"state": "bare"}, True),
        ({"state": "bare", "untouched": True}, False),
        ({"state": "bare", "cleanup": ["true"]}, False),
        ({"state": "bare", "untouched": True, "then": [{"says": ["x"]}]}, True),
        ({"state": "installed"}, False),
        ({"state": "installed", "fresh": True}, True),
    ],
)
def test_who_leaves_a_host_that_has_to_be_made_anew(change: dict[str, Any], spoils: bool, tmp_path: Path) -> None:
    assert load(tmp_path, {**GOOD, **change})[0].spoils is spoils


def test_changes_are_merged_over_a_site() -> None:
    site = {
        "docker": {"users": ["a"], "source": "x"},
        "npu": {"x": 1},
        "hosts": [{"name": "n", "accelerator": {"count": 8}}],
    }
    changes = {"docker": {"users": ["b"]}, "npu": None, "hosts": [{"accelerator": {"product": "p"}}], "new": [1]}
    assert merged(site, changes) == {
        "docker": {"users": ["b"], "source": "x"},
        "hosts": [{"name": "n", "accelerator": {"count": 8, "product": "p"}}],
        "new": [1],
    }


def test_the_matrix_reads_what_it_wrote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    case = '<testcase name="test_{kind}[{name}]"><properties>{properties}</properties>{bad}</testcase>'
    cases = [
        ("situation", "driver/a-long-enough-name", {"lane": "debian12", "sentence": "driver.downgrade"}, ""),
        ("lane", "rpm/up", {"lane": "rpm", "step": "up"}, "<failure/>"),
        ("lane", "rpm/check", {"lane": "rpm", "step": "check"}, ""),
    ]
    texts = [
        case.format(
            kind=kind,
            name=name,
            properties="".join(f'<property name="{key}" value="{value}"/>' for key, value in properties.items()),
            bad=bad,
        )
        for kind, name, properties, bad in cases
    ]
    junit.write_text(f"<testsuites><testsuite>{''.join(texts)}</testsuite></testsuites>", encoding="utf-8")
    only = load(tmp_path, GOOD)
    monkeypatch.setattr(matrix.schema, "load", lambda: only)
    results = matrix.read([junit])
    assert results == {
        ("debian12", "driver/a-long-enough-name"): "ok",
        ("rpm", "up"): "FAILED",
        ("rpm", "check"): "ok",
    }
    document = tmp_path / "matrix.md"
    document.write_text(matrix.render(results), encoding="utf-8")
    known = matrix.known(document)
    assert results.items() <= known.items()
    assert {result for key, result in known.items() if key not in results} == {"not run"}


def test_every_pattern_of_what_remains_is_needed_to_be_a_reasoned_line() -> None:
    for pattern, reason in remains.reasons().items():
        assert pattern.startswith("^"), pattern
        assert len(reason) > 10, pattern
    assert remains.unexplained(["rebooted", "new: /etc/ours"]) == ["new: /etc/ours"]
