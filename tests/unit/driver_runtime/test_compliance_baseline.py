"""The checks of host_baseline against what hosts answer: names of several addresses, other people's repositories."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.compliance import test_host_baseline as checks

REPOSITORIES = """
[ours]
baseurl=http://10.0.0.1/os/
gpgcheck={signed}
[theirs]
baseurl=http://10.0.0.2/os
gpgcheck=0
"""
MIRROR = {"name": "ours", "baseurl": "http://10.0.0.1/os", "key_file": "", "exclusive": False}


class Host:
    """A host that answers a command by the first of its *answers* whose words are in it; "" to others."""

    backend = SimpleNamespace(get_hostname=lambda: "node1")

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers

    def run(self, command: str, *words: str) -> Any:
        line = command % words if words else command
        text = next((text for part, text in self.answers.items() if part in line), "")
        return SimpleNamespace(rc=0, stdout=text, stderr="")


def clock(asked: str) -> Host:
    addresses = "2001:db8::1 STREAM time.example\n10.0.0.8 STREAM\n10.0.0.9 STREAM\n"
    return Host({"is-active chrony": "active\n", "chronyc": f"^,*,{asked},2,6,377\n", "getent ahosts": addresses})


@pytest.mark.parametrize("asked", ["10.0.0.9", "10.0.0.8", "2001:db8::1"])
def test_chrony_may_ask_any_address_of_a_name(asked: str) -> None:
    expected = {"host_baseline_time_servers": ["time.example"]}
    checks.test_chrony_keeps_the_clock_with_the_servers_of_the_inventory(clock(asked), expected)


def test_chrony_that_asks_somebody_else_is_found_out() -> None:
    expected = {"host_baseline_time_servers": ["time.example"]}
    with pytest.raises(pytest.fail.Exception, match=r"time\.example.*192\.0\.2\.1"):
        checks.test_chrony_keeps_the_clock_with_the_servers_of_the_inventory(clock("192.0.2.1"), expected)


def test_only_our_own_repositories_have_to_be_signed() -> None:
    expected = {"host_baseline_rpm_sources": [MIRROR]}
    host = Host({"command -v": "dnf\n", "yum.repos.d": REPOSITORIES.format(signed=1)})
    checks.test_rpm_sources_are_the_ones_in_the_inventory(host, expected)
    host = Host({"command -v": "dnf\n", "yum.repos.d": REPOSITORIES.format(signed=0)})
    with pytest.raises(pytest.fail.Exception, match="ours"):
        checks.test_rpm_sources_are_the_ones_in_the_inventory(host, expected)


@pytest.mark.parametrize("line", ["exclude=kernel*,acl", "excludepkgs = acl, kernel*", "exclude=acl kernel*"])
def test_what_is_left_out_stands_between_commas_or_blanks(line: str) -> None:
    checks.test_updates_leave_the_kernel_alone(Host({"command -v": "dnf\n", "dnf.conf": f"{line}\n"}))
    with pytest.raises(pytest.fail.Exception, match=r"kernel\*"):
        checks.test_updates_leave_the_kernel_alone(Host({"command -v": "dnf\n", "dnf.conf": "exclude=kernel-x\n"}))
