"""The command line: the default verb, the inventory on both sides of it, exit codes, and where a fault of ours goes."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from driver import cli, runs
from driver import fleet as fleets
from driver.errors import Locked, NotCompliant, SiteError, TaskFailed, Unreachable
from driver.fleet import Fleet


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--inventory", "lab"], ["--inventory", "lab", "up"]),
        (["-i", "lab", "--yes"], ["-i", "lab", "up", "--yes"]),
        (["--inventory=lab", "-v", "--limit", "a"], ["--inventory=lab", "-v", "up", "--limit", "a"]),
        (["--inventory", "lab", "plan"], ["--inventory", "lab", "plan"]),
        (["plan", "--inventory", "lab"], ["plan", "--inventory", "lab"]),
        (["--inventory", "lab", "--help"], ["--inventory", "lab", "--help"]),
        (["--help"], ["--help"]),
        ([], []),
    ],
)
def test_an_inventory_without_a_verb_is_up(args: list[str], expected: list[str]) -> None:
    assert cli.with_verb(args) == expected


@pytest.mark.parametrize("args", [["-i", "x", "plan"], ["plan", "--inventory", "x"], ["plan", "-i", "x", "--json"]])
@pytest.mark.parametrize(
    ("error", "code"), [(SiteError, 3), (Unreachable, 4), (TaskFailed, 5), (NotCompliant, 6), (Locked, 7)]
)
def test_errors_own_the_exit_code(
    args: list[str],
    error: type[Exception],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def load(name: str) -> Fleet:
        raise error(f"{name}: what to do")

    monkeypatch.setattr(fleets, "load", load)
    assert cli.main(args) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "x: what to do" in said.err


def test_no_inventory_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan"]) == 2
    assert "--inventory NAME" in capsys.readouterr().err


def test_a_fault_of_ours_is_short_and_its_traceback_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], runs_folder: Path
) -> None:
    monkeypatch.setattr(fleets, "load", lambda _: 1 // 0)
    assert cli.main(["plan", "-i", "x"]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 2
    assert "ZeroDivisionError" in said
    assert "Traceback" in next(runs_folder.glob("*-bug/traceback.txt")).read_text(encoding="utf-8")


def test_every_answering_verb_can_answer_in_json() -> None:
    for name, group in cli.cli.commands.items():
        for verb in group.commands.values() if isinstance(group, click.Group) else [group]:
            assert name == "lab" or any("--json" in option.opts for option in verb.params), verb.name


def test_report_shows_the_last_run(capsys: pytest.CaptureFixture[str]) -> None:
    run = runs.start("up", "test")
    document = {
        "verb": "up",
        "site": "test",
        "run": run.id,
        "started": "now",
        "seconds": 2,
        "exit_code": 0,
        "verdict": "ok",
        "error": "",
    }
    document |= {
        "stages": [{"name": "observe", "seconds": 1}],
        "hosts": {},
        "plan": None,
        "left": None,
        "failures": [],
        "slowest": [],
    }
    run.file("report.json").write_text(json.dumps({**document, "check": None, "answers": []}), encoding="utf-8")
    assert cli.main(["report"]) == 0
    said = capsys.readouterr().out
    assert "nothing to do on 0 hosts" in said
    assert run.file("report.html").is_file()
    assert cli.main(["report", "no-such-run"]) == 2


def test_runs_are_private_and_the_oldest_are_dropped(runs_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT_RUNS", 2)
    for year in (2020, 2021, 2022):
        (runs_folder / f"{year}0101T000000Z-up").mkdir(parents=True)
    made = runs.start("up", "test").folder
    assert {path.name for path in runs_folder.iterdir()} == {"20220101T000000Z-up", made.name}
    assert made.stat().st_mode & 0o777 == 0o700
