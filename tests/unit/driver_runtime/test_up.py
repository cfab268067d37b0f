"""The flow of `up`: what is asked, what is played, what counts as failure, and what the report says of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driver import act, chat, compliance, lock, paths, up
from driver import fleet as fleets
from driver.chat import Reply
from driver.compliance import Check, CheckResult
from driver.errors import Locked, Unreachable
from driver.events import Failure
from driver.fleet import Fleet
from driver.observe import Observation
from driver.record import Record
from driver.report import headline, summary
from driver.request import Request
from driver.runner import RunResult
from driver.ssh import HostFault
from driver.terminal import Terminal

from .conftest import cluster, item, seen

DRIVER = {"npu_driver": [item("driver version")]}
GREEN = (Check("node1", "r", "n", True, "", 0.0), Check("node2", "r", "n", True, "", 0.0))


class Site:
    """A site whose observations, playbook results and checks the test lays out beforehand."""

    def __init__(self, folder: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
        self.observations: list[Observation] = []
        self.played: list[Request] = []
        self.result: Callable[[Path], RunResult] = good
        self.checks = CheckResult(GREEN, {}, (), "", ("node1", "node2"))
        self.replies = [Reply("chat", "http://192.0.2.1:8000", "?", "hello", "", 0.5)]
        self.out, self.err = io.StringIO(), io.StringIO()
        self.answers = True
        self.asked: list[str] = []
        monkeypatch.setattr(paths, "site_dir", lambda _: folder)
        monkeypatch.setattr(fleets, "load", lambda _: fleet)
        monkeypatch.setattr(up, "observe", lambda _: self.observations.pop(0))
        monkeypatch.setattr(act, "play", self._play)
        monkeypatch.setattr(compliance, "check", lambda *_: self.checks)
        monkeypatch.setattr(chat, "ask_all", lambda _: self.replies)

    def _play(self, _fleet: Fleet, request: Request, run: Any, _terminal: Terminal) -> RunResult:
        self.played.append(request)
        return self.result(run.folder)

    def run(self, interactive: bool = False, **wish: Any) -> Record:
        return up.up("test", up.Wish(**wish), Terminal(self.out, self.err, self._ask, interactive))

    def _ask(self, question: str) -> bool:
        self.asked.append(question)
        return self.answers


def good(folder: Path) -> RunResult:
    return RunResult(
        "successful",
        frozenset(),
        frozenset(),
        {"node1": 3},
        (),
        {"node1": {"npu_driver": 9.0}},
        (),
        folder / "ansible.log",
    )


def bad(folder: Path) -> RunResult:
    failures = (Failure("node1", "npu_driver", "Run it", "no room", "", "tail of the log"),)
    return RunResult("failed", frozenset({"node1"}), frozenset(), {}, failures, {}, (), folder / "ansible.log")


@pytest.fixture
def site(tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder, fleet, monkeypatch)


def test_no_drift_plays_nothing_and_says_so(site: Site) -> None:
    site.observations = [seen({"node1": {}, "node2": {}})]
    record = site.run()
    assert (record.exit_code, site.played, site.asked) == (0, [], [])
    assert summary(record.document(), record.run.folder, 0).startswith(
        "nothing to do on 2 hosts: site test is what its file says\n"
    )
    assert not record.run.file("report.html").exists()
    assert json.loads(record.run.file("report.json").read_text(encoding="utf-8"))["verdict"] == "ok"


def test_warnings_of_the_site_are_said_once(site: Site, monkeypatch: pytest.MonkeyPatch, fleet: Fleet) -> None:
    warned = replace(fleet, warnings=("site.yml: checksums.a: an example value",))
    monkeypatch.setattr(fleets, "load", lambda _: warned)
    site.observations = [seen({"node1": DRIVER, "node2": {}}), seen({"node1": {}, "node2": {}})]
    site.run(yes=True)
    assert site.err.getvalue().count("warning: site.yml: checksums.a: an example value\n") == 1


def test_no_drift_with_verify_is_checked(site: Site) -> None:
    site.observations = [seen({"node1": {}, "node2": {}})]
    record = site.run(verify=True)
    assert record.check is site.checks
    assert record.run.file("report.html").exists()


def test_drift_is_played_observed_again_checked_and_asked(site: Site) -> None:
    site.observations = [seen({"node1": DRIVER, "node2": {}}), seen({"node1": {}, "node2": {}})]
    record = site.run(yes=True)
    assert record.exit_code == 0, record.error
    assert [(request.hosts, request.tags) for request in site.played] == [
        (("node1",), ("npu_driver", "inference_service"))
    ]
    assert [stage.name for stage in record.run.stages] == ["render", "observe", "act", "observe again", "check", "chat"]
    document = record.document()
    assert headline(document) == "site test is what its file says: 1 change made on 1 of 2 hosts"
    assert "  hello\n" in summary(document, record.run.folder, 0)
    assert document["hosts"]["node1"]["roles"] == {"npu_driver": 9.0}


def test_without_a_terminal_and_without_yes_nothing_is_touched(site: Site) -> None:
    site.observations = [seen({"node1": DRIVER, "node2": {}})]
    record = site.run()
    assert (record.exit_code, site.played) == (2, [])
    assert "--yes" in record.error
    assert "driver version" in site.err.getvalue()


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_asked(site: Site, answer: bool) -> None:
    site.answers = answer
    site.observations = [seen({"node1": DRIVER, "node2": {}}), seen({"node1": {}, "node2": {}})]
    site.run(interactive=True)
    assert site.asked == ["Make these changes?"]
    assert bool(site.played) is answer


def test_an_unreachable_host_ends_it_before_anything_is_touched(site: Site) -> None:
    site.observations = [seen({"node1": DRIVER}, node2=HostFault("node2", "no answer", "no answer", "Check"))]
    record = site.run(yes=True)
    assert (record.exit_code, site.played) == (Unreachable.exit_code, [])
    assert record.error.startswith("node2: no answer")


def test_what_still_drifts_is_a_failure(site: Site) -> None:
    site.observations = [seen({"node1": DRIVER, "node2": {}}), seen({"node1": DRIVER, "node2": {}})]
    record = site.run(yes=True)
    assert record.exit_code == 5
    assert "node1: npu_driver: driver version: absent -> wanted" in record.error
    assert len(site.played) == 1
    assert record.document()["hosts"]["node1"]["state"] == "failed"


def test_drift_that_shows_only_later_gets_a_round_of_its_own(site: Site) -> None:
    later = {"container_image": [item("image")]}
    site.observations = [
        seen({"node1": DRIVER, "node2": {}}),
        seen({"node1": later, "node2": {}}),
        seen({"node1": {}, "node2": {}}),
    ]
    record = site.run(yes=True)
    assert record.exit_code == 0, record.error
    assert [request.tags[0] for request in site.played] == ["npu_driver", "container_image"]


def test_a_failed_task_names_host_step_and_log(site: Site) -> None:
    site.observations = [seen({"node1": DRIVER, "node2": {}})]
    site.result = bad
    record = site.run(yes=True)
    assert record.exit_code == 5
    assert record.error.splitlines()[:2] == ["node1: npu_driver: Run it", "  no room"]
    assert "tail of the log" in record.error
    page = record.run.file("report.html").read_text(encoding="utf-8")
    assert "no room" in page
    assert "https://" not in page, "the page stands alone"


def test_a_red_check_is_not_compliant(site: Site) -> None:
    site.observations = [seen({"node1": DRIVER, "node2": {}}), seen({"node1": {}, "node2": {}})]
    site.checks = CheckResult(
        (*GREEN, Check("node2", "r", "n", False, "node2: expected 1, found 2", 0.0)), {}, (), "", ("node1", "node2")
    )
    record = site.run(yes=True)
    assert (record.exit_code, record.document()["verdict"]) == (6, "not compliant")
    assert "expected 1, found 2" in record.run.file("report.html").read_text(encoding="utf-8")


def test_a_silent_service_is_not_compliant(site: Site) -> None:
    site.observations = [seen({"node1": {}, "node2": {}})]
    site.replies = [Reply("chat", "http://192.0.2.1:8000", "?", "", "HTTP 500: no", 0.5)]
    record = site.run(verify=True)
    assert record.exit_code == 6
    assert "service chat at http://192.0.2.1:8000: HTTP 500: no" in record.error


def test_a_limit_restarts_the_whole_service_and_asks_it(
    site: Site, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Fleet] = []
    monkeypatch.setattr(fleets, "load", lambda _: cluster(fleet))
    monkeypatch.setattr(compliance, "check", lambda checks, *_: checked.append(checks) or site.checks)
    asked: list[Fleet] = []
    monkeypatch.setattr(chat, "ask_all", lambda answering: asked.append(answering) or site.replies)
    mate = seen({"node1": {}})
    mate.docs["node1"]["facts"] = {"services": {"chat": {"unit_active": True}}}
    reboot = {"npu_driver": [item("device nodes", reboot=True)]}
    site.observations = [seen({"node2": reboot}), mate, seen({"node1": {}, "node2": {}})]
    record = site.run(yes=True, limit="node2")
    assert record.exit_code == 0, record.error
    assert [request.hosts for request in site.played] == [("node2", "node1")]
    assert "stops meanwhile: provision-chat.service on node1" in site.err.getvalue()
    assert [[host.name for host in part.hosts] for part in (*checked, *asked)] == [["node2"], ["node2", "node1"]]
    assert [service.name for service in asked[0].services()] == ["chat"]


def test_a_dry_run_changes_and_checks_nothing(site: Site) -> None:
    site.observations = [seen({"node1": DRIVER, "node2": {}})]
    record = site.run(dry=True)
    assert record.exit_code == 0, record.error
    assert site.played[0].check
    assert record.check is None
    assert record.document()["dry"] is True
    assert (
        headline(record.document())
        == "site test differs from its file: 1 change to make on 1 host; nothing was changed"
    )


def test_a_dry_run_and_the_run_after_it_can_be_laid_side_by_side(site: Site) -> None:
    tasks = {"node1": {"npu_driver": ["Install it"], "playbook": ["Reboot the host"]}}
    site.result = lambda folder: replace(good(folder), tasks=tasks)
    site.observations = [seen({"node1": DRIVER, "node2": {}})]
    dry = site.run(dry=True).document()["hosts"]["node1"]
    site.observations = [seen({"node1": DRIVER, "node2": {}}), seen({"node1": {}, "node2": {}})]
    real = site.run(yes=True).document()["hosts"]["node1"]
    assert dry["changes"] == real["changes"]
    assert dry["tasks"] == real["tasks"] == tasks["node1"]


def test_reboots_are_played_in_the_batches_of_the_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = replace(fleets.load("test"), reboot_batches=(2, 7))
    monkeypatch.setattr(fleets, "load", lambda _: wide)
    site.observations = [seen({"node1": DRIVER, "node2": {}}), seen({"node1": {}, "node2": {}})]
    assert site.run(yes=True).exit_code == 0
    assert site.played[0].extra_vars == {"reboot_batches": [2, 7]}


def test_an_installer_of_an_earlier_run_is_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "INSTALLER_LOOK_SECONDS", 0.0)
    busy = seen({"node1": {}, "node2": {}})
    busy.docs["node1"]["facts"] = {"npu_driver": {"installer_running": True}}
    site.observations = [busy, seen({"node1": {}, "node2": {}})]
    assert site.run().exit_code == 0
    assert "still running on node1" in site.err.getvalue()


def test_a_locked_site_is_refused(site: Site, tmp_path: Path) -> None:
    with lock.held(tmp_path / "site", "rebuild", print), pytest.raises(Locked, match="`rebuild`"):
        site.run(yes=True)
