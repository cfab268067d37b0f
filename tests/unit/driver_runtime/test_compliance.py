"""The checks: one open shell per host, a verdict that is red unless every host was looked at."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from driver import compliance, report, runs
from driver.errors import NotCompliant, Unreachable, UsageError
from driver.fleet import Fleet
from driver.record import Record
from tests.compliance import judge, test_container_image
from tests.compliance.backend import HostSilentError, ShellBackend
from tests.compliance.npu import CARD, RUNNING

CONFIG = Path("ssh_config")


@pytest.mark.usefixtures("stubs")
class TestShell:
    def test_code_and_both_streams_come_back(self) -> None:
        backend = ShellBackend("greets1", CONFIG)
        result = backend.run("printf %s; printf err >&2; exit 3", "out put")
        assert (result.rc, result.stdout, result.stderr) == (3, "out put", "err")
        assert backend.run("cat").stdout == ""
        assert backend.run("printf 'no newline\\n\\n'").stdout == "no newline\n\n"
        backend.close()

    def test_foreseen_commands_are_answered_in_any_order(self) -> None:
        backend = ShellBackend("node1", CONFIG, ["echo 1", "echo 2", "echo 3", "echo 3"])
        words = ("echo 2", "echo 9", "echo 3", "echo 1", "echo 3", "echo 2")
        assert [backend.run(word).stdout for word in words] == ["2\n", "9\n", "3\n", "1\n", "3\n", "2\n"]
        assert backend.sent == list(words)
        backend.close()

    def test_a_long_output_and_bytes_that_are_no_text_come_through(self) -> None:
        backend = ShellBackend("node1", CONFIG)
        assert (
            len(backend.run("head -c 3000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2").stdout) == 3_000_000
        )
        assert backend.run("printf '\\377'").stdout == "\ufffd"
        backend.close()

    @pytest.mark.parametrize(("host", "why"), [("refused1", "Connection refused"), ("asks1", "a password is required")])
    def test_a_silent_host_says_why(self, host: str, why: str) -> None:
        with pytest.raises(HostSilentError, match=why):
            ShellBackend(host, CONFIG, ["true"]).open()


def result_of(
    tmp_path: Path, fleet: Fleet, document: dict[str, Any], code: int, *, narrowed: bool = False
) -> compliance.CheckResult:
    raw = tmp_path / "raw.json"
    raw.write_text(json.dumps({"unreachable": {}, **document}), encoding="utf-8")
    return compliance._result(fleet, raw, code, tmp_path / "log", narrowed=narrowed)


def entry(host: str, passed: bool = True) -> dict[str, Any]:
    return {
        "host": host,
        "role": "r",
        "name": "n",
        "passed": passed,
        "message": "" if passed else f"{host}: expected 1, found 2",
        "seconds": 0,
    }


def test_everything_green_is_good(tmp_path: Path, fleet: Fleet) -> None:
    result = result_of(tmp_path, fleet, {"checks": [entry("node1"), entry("node2")]}, 0)
    result.require_good()
    assert result.headline() == "all 2 checks passed on 2 hosts"


@pytest.mark.parametrize(
    ("checks", "code", "words"),
    [
        ([], 5, "not checked at all: node1, node2"),
        ([], 0, "not checked at all: node1, node2"),
        ([entry("node1")], 0, "not checked at all: node2"),
        ([entry("node1"), entry("node2", passed=False)], 1, "1 of 2 checks failed"),
        ([entry("node1"), entry("node2")], 3, "the suite itself broke: pytest ended with code 3"),
        ([entry("node1"), entry("node2")], 1, "the suite itself broke"),
    ],
)
def test_everything_else_is_red(
    tmp_path: Path, fleet: Fleet, checks: list[dict[str, Any]], code: int, words: str
) -> None:
    result = result_of(tmp_path, fleet, {"checks": checks}, code)
    with pytest.raises(NotCompliant, match=words):
        result.require_good()


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        (5, "", "no check fits -k 'x'; expected"),
        (4, "ERROR: Wrong expression passed to '-k': x", "-k 'x' is no expression"),
    ],
)
def test_words_that_fit_no_check_are_a_usage_error(
    tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, code: int, said: str, words: str
) -> None:
    command = [sys.executable, "-c", f"import sys; print({said!r}); sys.exit({code})"]
    monkeypatch.setattr(compliance, "_command", lambda *_: command)
    with pytest.raises(UsageError, match=words):
        compliance.check(fleet, tmp_path, "x")
    assert "pytest ended with code" in compliance.check(fleet, tmp_path).headline()


def test_the_headline_of_check_is_printed_once(tmp_path: Path, fleet: Fleet) -> None:
    record = Record(runs.start("check", "test"), fleet)
    record.check = result_of(tmp_path, fleet, {"checks": [entry("node1"), entry("node2")]}, 0)
    document = record.document()
    text = report.checks(document, 0) + report.summary(document, record.run.folder, 0)
    assert text.count("all 2 checks passed on 2 hosts") == 1
    assert report.checks({**document, "verb": "up"}, 0).endswith("all 2 checks passed on 2 hosts\n")


def test_an_unreachable_host_has_its_own_error(tmp_path: Path, fleet: Fleet) -> None:
    result = result_of(tmp_path, fleet, {"checks": [entry("node1")], "unreachable": {"node2": "no answer"}}, 1)
    with pytest.raises(Unreachable, match="node2: no answer"):
        result.require_good()


def test_no_results_at_all_are_red(tmp_path: Path, fleet: Fleet) -> None:
    result = compliance._result(fleet, tmp_path / "nothing", 2, tmp_path / "log", narrowed=False)
    assert not result.good


TABLE = """
| npu-smi 24.1.rc1                 Version: 24.1.rc1                                             |
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
| 0     Ascend 910          | OK            | 161.9       34                0    / 0             |
| 0     0                   | 0000:9D:00.0  | 0           0    / 0          3099 / 65536         |
| 7     Ascend910           | Warning       | 161.9       34                0    / 0             |
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
| 7       0                 | 4711          | OK                       | 100                     |
"""


def test_cards_are_read_and_other_rows_are_not() -> None:
    assert CARD.findall(TABLE) == [("0", "Ascend 910", "OK"), ("7", "Ascend910", "Warning")]
    match = RUNNING.search(TABLE)
    assert match
    assert match.group(1) == "24.1.rc1"


def test_versions_are_compared_by_value_and_options_by_content() -> None:
    assert judge.at_least("20.10.24+dfsg1", "20.10.0")
    assert not judge.at_least("9.9", "20.10.0")
    assert judge.at_least("20.10", "20.10.0")
    assert judge.within({"a": [1], "b": {"c": 2}}, {"a": [0, 1], "b": {"c": 2, "d": 3}, "e": 4})
    assert not judge.within({"a": [1]}, {"a": []})


class ImageHost:
    """A host whose Docker knows every image by these digests."""

    def __init__(self, name: str, *digests: str) -> None:
        self.backend = SimpleNamespace(get_hostname=lambda: name)
        self._said = json.dumps({"id": digests[0], "digests": [f"x@{digest}" for digest in digests[1:]]})

    def run(self, *_: str) -> SimpleNamespace:
        return SimpleNamespace(rc=0, stdout=self._said, stderr="")


def test_hosts_with_different_images_under_one_name_are_red() -> None:
    image = {"name": "vllm:1", "architecture": "arm64"}
    seen: dict[tuple[str, str], tuple[str, set[str]]] = {}
    test_container_image.test_image_is_the_same_on_every_host(ImageHost("node1", "sha256:a", "sha256:b"), image, seen)
    test_container_image.test_image_is_the_same_on_every_host(ImageHost("node2", "sha256:c", "sha256:b"), image, seen)
    with pytest.raises(
        pytest.fail.Exception, match="node3: digest of image vllm:1: expected one of node1's: sha256:a, "
    ):
        test_container_image.test_image_is_the_same_on_every_host(ImageHost("node3", "sha256:c"), image, seen)
