"""The account, the commands, the kernel headers and the package sources."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compliance import judge


def test_service_account_is_the_one_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    name = expected["host_baseline_account_name"]
    line = host.run("getent passwd %s", name).stdout.strip()
    judge.true(host, f"account {name}", line, "an account", "none")
    entry = line.split(":")
    found = {"uid": int(entry[2]), "gid": int(entry[3]), "home": entry[5], "shell": entry[6]}
    wanted = {
        "uid": expected["host_baseline_account_uid"],
        "gid": expected["host_baseline_account_gid"],
        "home": expected["host_baseline_account_home"],
        "shell": expected["host_baseline_account_shell"],
    }
    judge.equal(host, f"account {name}", wanted, found)


def test_service_group_is_the_one_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    name = expected["host_baseline_account_group"]
    line = host.run("getent group %s", name).stdout.strip()
    judge.true(host, f"group {name}", line, "a group", "none")
    judge.equal(host, f"id of group {name}", expected["host_baseline_account_gid"], int(line.split(":")[2]))


def test_needed_commands_exist(host: Any, expected: dict[str, Any]) -> None:
    wanted = expected["host_baseline_commands"]
    look = "command -v $c >/dev/null || echo $c"
    script = f"PATH=$PATH:/usr/sbin:/sbin; for c in {' '.join(wanted)}; do {look}; done"
    missing = judge.output(host, "commands", script).split()
    judge.equal(host, "missing commands", "none", judge.listed(missing))


@pytest.mark.asked_for("host_baseline_kernel_headers")
def test_headers_of_the_running_kernel_are_there(host: Any) -> None:
    found = host.run(
        'test -e "/lib/modules/$(uname -r)/build/." && echo there || echo "no /lib/modules/$(uname -r)/build"'
    )
    judge.equal(host, "headers of the running kernel", "there", found.stdout.strip())


@pytest.mark.asked_for("host_baseline_apt_sources")
def test_package_sources_are_the_ones_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    sources = expected["host_baseline_apt_sources"]
    used = set(judge.output(host, "package sources", "apt-get indextargets --format '$(REPO_URI)'").split())
    used = {uri.rstrip("/") for uri in used}
    wanted = {source["uri"].rstrip("/") for source in sources}
    judge.true(host, "package sources", wanted <= used, judge.listed(sorted(wanted)), judge.listed(sorted(used)))
    if any(source["exclusive"] for source in sources):
        judge.true(
            host, "package sources", used <= wanted, f"only {judge.listed(sorted(wanted))}", judge.listed(sorted(used))
        )
