"""The account, the commands, the kernel headers, the package sources, and what the site wants of the system."""

from __future__ import annotations

import configparser
import re
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


def manager(host: Any) -> str:
    """Return which package manager looks after the host: of two kinds the one that os-release speaks for."""
    script = """
    . /etc/os-release
    for m in dnf yum; do command -v $m >/dev/null && other=$m && break; done
    case " $ID ${ID_LIKE-} " in *" debian "*|*" ubuntu "*) other= ;; esac
    command -v apt-get >/dev/null && [ -z "${other-}" ] && echo apt || echo "${other-}"
    """
    return judge.output(host, "package manager", script)


def judge_sources(host: Any, expected: dict[str, Any], kind: str, key: str, used: set[str]) -> None:
    """Fail unless the addresses *used* are those of the sources, and no others where one of them is exclusive.

    Docker's own repository is the business of the role docker_engine.
    """
    sources, engine = expected[f"host_baseline_{kind}_sources"], expected.get("docker_engine_repository") or {}
    wanted = {source[key].rstrip("/") for source in sources}
    used = {uri.rstrip("/") for uri in used}
    used = {uri for uri in used if uri in wanted or not engine or not uri.startswith(f"{engine['uri'].rstrip('/')}/")}
    judge.true(host, "package sources", wanted <= used, judge.listed(sorted(wanted)), judge.listed(sorted(used)))
    if any(source["exclusive"] for source in sources):
        judge.true(
            host, "package sources", used <= wanted, f"only {judge.listed(sorted(wanted))}", judge.listed(sorted(used))
        )


@pytest.mark.asked_for("host_baseline_apt_sources")
def test_apt_sources_are_the_ones_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    if manager(host) != "apt":
        return  # they are for the other hosts of the site
    used = set(judge.output(host, "package sources", "apt-get indextargets --format '$(REPO_URI)'").split())
    judge_sources(host, expected, "apt", "uri", used)


@pytest.mark.asked_for("host_baseline_rpm_sources")
def test_rpm_sources_are_the_ones_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    if manager(host) == "apt":
        return  # they are for the other hosts of the site
    text = judge.output(host, "package sources", "for f in /etc/yum.repos.d/*.repo; do cat $f; echo; done")
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.read_string(text)
    enabled = [found[name] for name in found.sections() if found[name].getboolean("enabled", fallback=True)]
    judge_sources(host, expected, "rpm", "baseurl", {part.get("baseurl", "") for part in enabled})
    wanted = {source["baseurl"].rstrip("/") for source in expected["host_baseline_rpm_sources"]}
    ours = [part for part in enabled if part.get("baseurl", "").rstrip("/") in wanted]
    unsigned = [part.name for part in ours if not part.getboolean("gpgcheck", fallback=True)]
    judge.equal(host, "package sources without signatures", "none", judge.listed(unsigned))


@pytest.mark.asked_for("host_baseline_selinux")
def test_selinux_is_in_the_mode_of_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    wanted = expected["host_baseline_selinux"]
    live = host.run("getenforce 2>/dev/null || echo absent").stdout.strip().lower()
    if (wanted, live) == ("permissive", "absent"):
        return  # a system without a policy refuses nothing
    judge.equal(host, "SELinux", wanted, live)
    boot = host.run("sed -n 's/^ *SELINUX *= *//p' /etc/selinux/config").stdout.strip().lower()
    judge.equal(host, "SELinux at the next boot", wanted, boot)


@pytest.mark.asked_for("host_baseline_firewalld")
def test_firewalld_is_as_in_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    runs = expected["host_baseline_firewalld"] == "running"
    active = host.run("systemctl is-active --quiet firewalld.service").rc == 0
    boot = host.run("systemctl is-enabled --quiet firewalld.service").rc == 0
    judge.equal(host, "firewalld (now, at boot)", (runs, runs), (active, boot))


@pytest.mark.asked_for("host_baseline_time_sync")
def test_chrony_keeps_the_clock_with_the_servers_of_the_inventory(host: Any, expected: dict[str, Any]) -> None:
    active = host.run("systemctl is-active chrony.service chronyd.service").stdout.split()
    judge.true(host, "chrony", "active" in active, "active", judge.listed(active))
    rival = host.run("systemctl is-active systemd-timesyncd.service ntpd.service").stdout.split()
    judge.true(host, "other keepers of the clock", "active" not in rival, "none", judge.listed(rival))
    asked = host.run("chronyc -n -c sources").stdout.splitlines()
    known = {line.split(",")[2] for line in asked if line.count(",") > 2}
    names = expected["host_baseline_time_servers"]
    missing = [name for name in names if not addresses(host, name) & known]
    judge.true(host, "chrony's sources", not missing, judge.listed(names), judge.listed(sorted(known)))


def addresses(host: Any, name: str) -> set[str]:
    """Return all addresses of *name* as the host resolves it, of which chrony asks one; and the name itself."""
    return {name, *(line.split()[0] for line in host.run("getent ahosts %s", name).stdout.splitlines() if line.split())}


@pytest.mark.asked_for("host_baseline_ip_forward")
def test_the_host_forwards(host: Any) -> None:
    found = judge.output(host, "net.ipv4.ip_forward", "cat /proc/sys/net/ipv4/ip_forward")
    judge.equal(host, "net.ipv4.ip_forward", "1", found)


@pytest.mark.asked_for("host_baseline_kernel_hold")
def test_updates_leave_the_kernel_alone(host: Any) -> None:
    if manager(host) == "apt":
        held = set(judge.output(host, "held packages", "apt-mark showhold").split())
        shape = "${Package} ${db:Status-Status}\\n"
        listed = host.run("dpkg-query -W -f '" + shape + "' 'linux-image-*' 'linux-headers-*'").stdout
        installed = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
        loose = sorted(installed - held)
    else:
        rows = host.run("grep -hE '^(exclude|excludepkgs) *=' /etc/dnf/dnf.conf /etc/yum.conf").stdout
        loose = [] if "kernel*" in re.split(r"[\s,=]+", rows) else ["kernel*"]
    judge.equal(host, "kernel packages that an update may exchange", "none", judge.listed(loose))
