"""Why a vendor's package is not installed: every refusal by its message, and none where nothing speaks against it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import refusals, vendor

Judge = Callable[..., list[str]]
INSTALLED = {"version": "2.0"}


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Return a function that judges a package on a host where everything is as it should be, but for the *changes*."""
    monkeypatch.setattr(vendor, "ALL_IN_ONE_MARK", str(tmp_path / "none"))
    monkeypatch.setattr(vendor, "unfit_parents", lambda _: [])
    monkeypatch.setattr(vendor, "free_bytes", lambda _: 1000)

    def of(installers: list[dict[str, Any]] | None = None, **changes: Any) -> list[str]:
        values = {"name": "driver", "version": "1.0", "action": "upgrade", "install_path": "/opt/x"}
        return refusals.of_package(refusals.Ask(**{**values, **changes}), INSTALLED, installers or [], 300)

    return of


def test_nothing_speaks_against_a_fit_host(judge: Judge) -> None:
    assert judge(required_bytes=1000) == []


def test_another_installer_is_the_only_thing_that_is_said(judge: Judge) -> None:
    (said,) = judge([{"pid": 7, "command": "bash x.run"}], action="downgrade")
    assert said.startswith("after 300 s an installer still runs: bash x.run (pid 7). The vendor allows one at a time.")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [({}, True), ({"downgrade_allowed": True}, False), ({"running": "1.0"}, False), ({"running": "2.0"}, True)],
)
def test_a_downgrade_is_refused_unless_it_is_named(judge: Judge, changes: dict[str, Any], refused: bool) -> None:
    said = judge(action="downgrade", allow_key="npu_driver", **changes)
    words = "driver 2.0 is installed; the release wants the older 1.0."
    assert [text for text in said if words in text and "allow_downgrade: [npu_driver]" in text] == said
    assert bool(said) is refused


def test_an_all_in_one_package_is_refused(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    (said,) = judge()
    assert "an older all-in-one package is installed" in said
    assert "Uninstall that package" in said


@pytest.mark.parametrize(("name", "needed"), [("driver", 300_000_000), ("firmware", 32_000_000)])
def test_too_little_space_is_refused(judge: Judge, name: str, needed: int) -> None:
    (said,) = judge(name=name, required_bytes=needed)
    assert said.startswith(f"/opt/x has 1000 bytes free, the {name}'s installer wants {needed}. Make room")


def test_parents_that_do_not_fit_are_refused(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "unfit_parents", lambda _: ["/opt has mode 0777", "/opt/x is a link"])
    (said,) = judge()
    assert "above /opt/x, and /opt has mode 0777, /opt/x is a link. Set owner and mode" in said


def test_a_package_that_stays_is_not_judged(judge: Judge) -> None:
    assert judge(action="none", required_bytes=10**9) == []


GOOD: dict[str, Any] = {
    "account": "somebody",
    "account_shell": "/bin/bash",
    "account_ids": "1000:1000",
    "wanted_ids": "1000:1000",
    "missing_commands": [],
    "kernel": "5.0",
    "kernel_headers": True,
    "kernel_next": "",
    "kernel_next_headers": False,
    "enforced": [],
    "dkms": {"path": "", "failed": False, "ours": False},
}
TREE = {"path": "/var/lib/dkms/x", "failed": True, "ours": False}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"missing_commands": ["dkms", "lspci"]}, "commands are missing that the installer needs: dkms, lspci"),
        ({"kernel_headers": False}, "/lib/modules/5.0/build/Makefile is missing: no headers of the running kernel"),
        ({"account_shell": ""}, "somebody has no shell that can log in"),
        ({"account_ids": "1:2"}, "somebody has the ids 1:2, site.yml says 1000:1000 (account). After the installation"),
        ({"kernel_next": "6.0"}, "the reboot would start kernel 6.0 instead of 5.0, and it has no headers"),
        ({"enforced": ["secure boot is on"]}, "secure boot is on, so the kernel loads signed modules only"),
        ({"dkms": TREE}, "the last build in /var/lib/dkms/x failed and was none of provision's"),
    ],
)
def test_each_fault_of_the_host_is_refused(changes: dict[str, Any], words: str) -> None:
    (said,) = refusals.of_host(refusals.Host(**{**GOOD, **changes}), signed=False, prepared=True)
    assert said.startswith(words)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kernel_next": "6.0", "kernel_next_headers": True},
        {"dkms": {**TREE, "ours": True}},
        {"wanted_ids": ""},
    ],
)
def test_what_does_no_harm_is_not_refused(changes: dict[str, Any]) -> None:
    assert refusals.of_host(refusals.Host(**{**GOOD, **changes}), signed=False, prepared=True) == []


def test_an_enrolled_key_satisfies_secure_boot() -> None:
    host = refusals.Host(**{**GOOD, "enforced": ["secure boot is on"]})
    assert refusals.of_host(host, signed=True, prepared=True) == []


def test_a_dry_run_does_not_ask_for_what_the_role_before_would_bring() -> None:
    host = refusals.Host(**{**GOOD, "missing_commands": ["dkms"], "kernel_headers": False, "dkms": TREE})
    (said,) = refusals.of_host(host, signed=False, prepared=False)
    assert "rm -r /var/lib/dkms/x" in said
