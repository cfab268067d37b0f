"""The command line in hard surroundings: streams that are closed, folders that cannot be written, texts that help."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from driver import cli, paths, runs
from driver import fleet as fleets
from driver.errors import SiteError, UsageError


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run *command* with bash; $P is provision."""
    words = ["bash", "-c", f'P="{sys.executable} -m driver"; {command}']
    return subprocess.run(words, cwd=paths.ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the shipped site that has warnings."""
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(paths.INVENTORIES / "prod" / paths.SITE_FILE, folder)
    return folder


def test_validate_prints_the_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", "-i", "prod"]) == 0
    lines = capsys.readouterr().err.splitlines()
    places = ["site.yml: checksums."] * 3 + ["site.lock: images: ", "site.yml: models.0.source: "]
    for line, place in zip(lines, places, strict=True):
        assert line.startswith(f"warning: inventories/prod/{place}")
    assert cli.main(["validate", "-i", "prod", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 5


def test_validate_answers_in_json_when_the_site_is_refused(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = site / paths.SITE_FILE
    file.write_text(file.read_text(encoding="utf-8").replace("port: 8006", "port: '8006'"), encoding="utf-8")
    assert cli.main(["validate", "-i", str(site), "--json"]) == 3
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["valid"] is False
    assert [line.split(": ")[1] for line in document["faults"]] == ["services.0.port"]
    assert "write 8006 without quotes" in said.err


def test_a_remembered_site_keeps_its_warnings(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(fleets.load(str(site)).warnings) == 5
    monkeypatch.setattr(fleets, "_resolved", lambda *_: pytest.fail("the site was resolved again"))
    assert len(fleets.load(str(site)).warnings) == 5


def test_plan_prints_the_warnings(site: Path, stubs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (stubs / "ssh").write_text("#!/bin/sh\nexit 255\n", encoding="utf-8")
    for _ in range(2):
        assert cli.main(["plan", "-i", str(site)]) == 4
        assert capsys.readouterr().err.count("warning: ") == 5


def test_a_report_that_is_not_there_is_named_once(runs_folder: Path) -> None:
    for name, site, words in (
        (None, None, "no run with a report"),
        ("x", None, "no run x with a report"),
        (None, "lab", "no run of site lab with a report"),
    ):
        with pytest.raises(UsageError, match=f"^{runs_folder}: {words}; the newest are: none yet$"):
            runs.find(name, site)


def test_messages_name_runs_from_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROVISION_RUNS")
    with pytest.raises(UsageError, match=r"^runs: no run no-such-run with a report"):
        runs.find("no-such-run")


def test_help_says_what_stays_on_the_hosts(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("down", "rebuild"):
        assert cli.main([verb, "--help"]) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert "bare" not in text
        last = text.partition(" stay ")[0].rpartition(". ")[2].lower()
        for word in ("packages of the distribution", "account"):
            assert word in last, word


def test_every_verb_that_a_text_names_exists() -> None:
    texts = [*(paths.ROOT / "driver").glob("*.py"), *paths.TEMPLATES.rglob("*.j2"), *paths.PLAYBOOKS.glob("*.yml")]
    for file in texts:
        for verb in re.findall(r"[`\"']provision (?:--?\S+ )*([a-z]+)", file.read_text(encoding="utf-8")):
            assert verb in cli.cli.commands, f"{file}: provision {verb}"


def test_an_option_without_its_value_is_not_a_missing_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--inventory"]) == 2
    assert "requires an argument" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "code", "err"),
    [
        ("$P -i lab commands | true; exit ${PIPESTATUS[0]}", cli.BROKEN_PIPE, ""),
        ("$P -i lab commands > /dev/full", 2, "Error: stdout: No space left on device"),
        ("$P -i lab validate >&-", 0, ""),
        ("$P -i nosuch validate 2>&-", 3, ""),
        ("$P -i lab validate <&-", 0, ""),
        ("env -u HOME $P -i lab validate", 0, ""),
        ("PYTHONIOENCODING=ascii $P -i prod validate", 0, "an example value (1111"),
    ],
)
def test_streams_may_be_closed_or_narrow(command: str, code: int, err: str) -> None:
    result = shell(command)
    assert (result.returncode, "Traceback" in result.stderr, "Exception" in result.stderr) == (code, False, False)
    assert err in result.stderr


def test_a_folder_that_takes_no_run_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PROVISION_RUNS", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"file: found no folder that takes a run .*PROVISION_RUNS"):
        runs.start("check", "test")


def test_a_fault_of_ours_is_shown_when_it_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PROVISION_RUNS", str(tmp_path / "file"))
    monkeypatch.setattr(fleets, "load", lambda _: 1 // 0)
    assert cli.main(["plan", "-i", "x"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_rendered_folder_that_cannot_be_written_is_said(site: Path) -> None:
    (site / "rendered").touch()
    with pytest.raises(SiteError, match=r"rendered.*: cannot be written \(.*\); expected a folder of yours"):
        fleets.load(str(site))
