"""The system of a host in pretended roots: who it is, its sources, next kernel, settings, clock, and their drift."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.filter import provision as filters
from plugins.module_utils.state import (
    aside,
    bootloader,
    clock,
    compare_system,
    files,
    host,
    kernel_hold,
    remarks,
    rpm,
    security,
    sysctl,
    system,
)
from plugins.module_utils.state.workers import Notes

HERE = Path(__file__).parent
SYSTEMS = yaml.safe_load((HERE / "os_release.yml").read_text(encoding="utf-8"))


def write(root: Path, path: str, text: str) -> Path:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_known_by_what_it_has(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = SYSTEMS[name]
    write(tmp_path, "/etc/os-release", case["text"])
    monkeypatch.setattr(files, "which", lambda word: f"/usr/bin/{word}" if word in case["present"] else None)
    found = host.system(str(tmp_path))
    assert (found["package_manager"], found["known"]) == (case["manager"], True)
    assert filters.os_files(found) == case["files"]
    assert filters.os_files(found, "rhel") == list(dict.fromkeys(["rhel.yml", f"{case['manager']}.yml"]))


def test_a_host_without_any_manager_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "/usr/lib/os-release", "ID=strangeos\n")
    monkeypatch.setattr(files, "which", lambda _: None)
    found = host.system(str(tmp_path))
    assert (found["package_manager"], found["known"]) == (None, False)
    assert filters.os_files(found) == ["strangeos.yml"]


# --- the next kernel
GRUB_CFG = """
menuentry 'openEuler (5.10.0-136.oe2203.x86_64) 22.03' --class openeuler {
	linux	/vmlinuz-5.10.0-136.oe2203.x86_64 root=/dev/mapper/root ro
}
submenu 'Advanced options' {
	menuentry "openEuler (5.10.0-60.oe2203.x86_64) 22.03" {
		linuxefi /vmlinuz-5.10.0-60.oe2203.x86_64 root=/dev/mapper/root ro
	}
}
"""


@pytest.mark.parametrize(
    ("saved", "kernel"),
    [
        ("saved_entry=openEuler (5.10.0-60.oe2203.x86_64) 22.03", "5.10.0-60.oe2203.x86_64"),
        ("saved_entry=0", "5.10.0-136.oe2203.x86_64"),
        ("saved_entry=Advanced options>openEuler (5.10.0-60.oe2203.x86_64) 22.03", "5.10.0-60.oe2203.x86_64"),
        ("saved_entry=0\nnext_entry=1", "5.10.0-60.oe2203.x86_64"),
        ("saved_entry=gone", None),
        ("# nothing", None),
    ],
)
def test_grubs_menu_says_which_kernel_is_next(tmp_path: Path, saved: str, kernel: str | None) -> None:
    write(tmp_path, "/boot/efi/EFI/openEuler/grubenv", f"# GRUB Environment Block\n{saved}\n")
    write(tmp_path, "/boot/efi/EFI/openEuler/grub.cfg", GRUB_CFG)
    assert bootloader.next_kernel(str(tmp_path)) == kernel


def test_an_entry_of_the_boot_loader_specification_comes_first(tmp_path: Path) -> None:
    write(tmp_path, "/boot/grub2/grubenv", "saved_entry=abc-6.6.0\n")
    write(tmp_path, "/boot/loader/entries/abc-6.6.0.conf", "title x\nlinux /boot/vmlinuz-6.6.0 \noptions root=/dev/x\n")
    write(tmp_path, "/boot/grub2/grub.cfg", GRUB_CFG)
    assert bootloader.next_kernel(str(tmp_path)) == "6.6.0"


# --- rpm sources
def test_rpm_sources_are_the_enabled_ones(tmp_path: Path) -> None:
    text = """
[base]
name = Base
baseurl = http://10.0.0.1/os/
    http://10.0.0.2/os/
[off]
baseurl=http://10.0.0.3/
enabled = 0
; a remark
[unsigned]
metalink=http://10.0.0.4/meta
gpgcheck=0
[nothing]
"""
    write(tmp_path, "/etc/yum.repos.d/a.repo", text)
    write(tmp_path, "/etc/yum.repos.d/b.repo.provision-disabled", "[x]\nbaseurl=http://10.0.0.5\n")
    assert rpm.sources(str(tmp_path)) == {
        "/etc/yum.repos.d/a.repo": [
            {"id": "base", "uri": "http://10.0.0.1/os/ http://10.0.0.2/os/", "gpgcheck": True},
            {"id": "unsigned", "uri": "http://10.0.0.4/meta", "gpgcheck": False},
        ]
    }


def test_what_is_left_out_is_read_from_the_managers_own_file(tmp_path: Path) -> None:
    assert (rpm.excluded(str(tmp_path)), rpm.main_file(str(tmp_path))) == ([], None)
    write(tmp_path, "/etc/yum.conf", "[main]\nexclude=kernel*\n")
    assert rpm.excluded(str(tmp_path)) == ["kernel*"]
    write(tmp_path, "/etc/dnf/dnf.conf", "[main]\nexcludepkgs=acl,nano\n")
    assert rpm.excluded(str(tmp_path)) == ["acl", "nano"]


# --- settings
@pytest.mark.parametrize(
    ("live", "config", "mode", "configured"),
    [
        ("1", "SELINUX=enforcing\n", "enforcing", "enforcing"),
        ("0", "SELINUX=enforcing\n", "permissive", "enforcing"),
        (None, "# SELINUX=x\nSELINUX=disabled\n", "disabled", "disabled"),
        (None, None, "absent", ""),
    ],
)
def test_selinux_is_what_the_kernel_does(
    tmp_path: Path, live: str | None, config: str | None, mode: str, configured: str
) -> None:
    for path, text in {"/sys/fs/selinux/enforce": live, "/etc/selinux/config": config}.items():
        if text is not None:
            write(tmp_path, path, text)
    found = security.selinux(str(tmp_path))
    assert (found["mode"], found["configured"]) == (mode, configured)


def test_the_last_file_has_the_last_word_and_one_hides_its_namesake(tmp_path: Path) -> None:
    root = str(tmp_path)
    write(tmp_path, "/proc/sys/net/ipv4/ip_forward", "1\n")
    write(tmp_path, "/usr/lib/sysctl.d/50-default.conf", "net.ipv4.ip_forward=0\n")
    write(tmp_path, "/etc/sysctl.d/20-early.conf", "net.ipv4.ip_forward=1\n")
    assert sysctl.setting("net.ipv4.ip_forward", root)["configured"] == "0"
    write(tmp_path, "/etc/sysctl.d/50-default.conf", "# hides the other\n")
    assert sysctl.setting("net.ipv4.ip_forward", root)["configured"] == "1"
    write(tmp_path, "/etc/sysctl.conf", "-net/ipv4/ip_forward = 0\n")
    assert sysctl.setting("net.ipv4.ip_forward", root) == {"live": "1", "configured": "0", "file": "/etc/sysctl.conf"}


def test_all_servers_of_chrony_are_found_in_whatever_file(tmp_path: Path) -> None:
    write(tmp_path, "/etc/chrony.conf", "pool a iburst\n# server no\ninclude /etc/chrony.more\nsourcedir /etc/src\n")
    write(tmp_path, "/etc/chrony.more", "server b\nserver b\ninclude /etc/chrony.conf\n")
    write(tmp_path, "/etc/src/x.sources", "server c\n")
    write(tmp_path, "/etc/src/y.conf", "server d\n")
    found = clock.chrony(str(tmp_path))
    assert found["servers"] == ["a", "b", "c"]
    assert found["folders"] == {"sourcedir": "/etc/src"}
    assert found["own"] == []


def test_the_servers_that_provision_named_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "/etc/chrony/chrony.conf", "pool a iburst\nconfdir /etc/chrony/conf.d\n")
    write(tmp_path, "/etc/chrony/conf.d/provision.conf", "# ours\nserver b iburst\nserver c iburst\n")
    found = clock.chrony(str(tmp_path))
    assert (found["servers"], found["own"]) == (["a", "b", "c"], ["b", "c"])
    keeper = {**found, "unit": "chrony.service", "rivals": [], "active": True, "enabled": True}
    assert drift(wanted(time_sync=True, time_servers=["b"]), clock=keeper) == [("own time servers", "c", "b")]
    assert drift(wanted(time_sync=True, time_servers=["a", "b", "c"]), clock=keeper) == []


def test_only_the_systems_own_python_wants_the_package_of_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("sys.executable", security.SYSTEM_PYTHON)
    assert security.selinux()["bindings"] is False
    monkeypatch.setattr("sys.executable", "/opt/python/bin/python3")
    assert security.selinux()["bindings"] is None


def test_what_provision_holds_is_read_from_its_mark(tmp_path: Path) -> None:
    assert kernel_hold.held_here(str(tmp_path)) == []
    mark = write(tmp_path, kernel_hold.MARK, '{"manager": "apt", "names": ["linux-image-a"]}')
    assert kernel_hold.held_here(str(tmp_path)) == ["linux-image-a"]
    mark.write_text("{", encoding="utf-8")
    assert kernel_hold.held_here(str(tmp_path)) == []


def test_sources_aside_are_those_whose_name_is_free(tmp_path: Path) -> None:
    for name in ("a.list.provision-disabled", "a.list.provision-disabled.2", "b.list.provision-disabled", "b.list"):
        write(tmp_path, f"/etc/apt/sources.list.d/{name}", name)
    write(tmp_path, "/etc/apt/apt.conf.provision-disabled", "no source")
    write(tmp_path, "/etc/yum.repos.d/x.repo.provision-disabled.3", "x")
    assert aside.sources(str(tmp_path)) == [
        "/etc/apt/sources.list.d/a.list.provision-disabled",
        "/etc/yum.repos.d/x.repo.provision-disabled.3",
    ]


def test_kernel_packages_that_were_removed_do_not_count() -> None:
    rows = [
        ("linux-image-6.1", "hold", "installed"),
        ("linux-image-5.10", "deinstall", "config-files"),
        ("linux-headers-6.1", "install", "installed"),
    ]
    output = "".join("\t".join(row) + "\n" for row in rows)
    found = {"packages": kernel_hold.parse(output), "excluded": [], "file": ""}
    assert found["packages"] == {"linux-image-6.1": True, "linux-headers-6.1": False}
    assert kernel_hold.loose("apt", found) == ["linux-headers-6.1"]
    assert kernel_hold.loose("dnf", found) == ["kernel*"]
    assert kernel_hold.loose("dnf", {**found, "excluded": ["kernel*"]}) == []
    assert kernel_hold.loose(None, found) == []


def test_units_say_who_keeps_the_clock() -> None:
    plain: dict[str, Any] = {"exists": True, "active": True, "enabled": True}
    units = {"chronyd.service": plain, "ntpd.service": {**plain, "active": False}, "firewalld.service": plain}
    found = system.describe(system.observe(Notes(), None), units)
    assert (found["clock"]["unit"], found["clock"]["active"], found["clock"]["rivals"]) == (
        "chronyd.service",
        True,
        ["ntpd.service"],
    )
    assert found["firewalld"] == {"exists": True, "active": True, "enabled": True}


def test_the_unit_that_runs_is_the_one_that_counts() -> None:
    script = {"exists": True, "active": False, "enabled": False}
    units = {"chrony.service": script, "chronyd.service": {"exists": True, "active": True, "enabled": True}}
    found = system.describe(system.observe(Notes(), None), units)["clock"]
    assert (found["unit"], found["active"], found["enabled"]) == ("chronyd.service", True, True)
    assert system.describe(system.observe(Notes(), None), {})["clock"]["unit"] == ""


# --- drift
def converged() -> dict[str, Any]:
    return dict(json.loads((HERE / "converged.json").read_text(encoding="utf-8")))


def wanted(**more: Any) -> dict[str, Any]:
    return {**converged()["wanted"]["host_baseline"], **more}


def drift(want: dict[str, Any], **more: Any) -> list[tuple[str, str | None, str]]:
    facts = converged()["facts"]
    facts["system"].update(more)
    return [(entry["what"], entry["from"], entry["to"]) for entry in compare_system.compare(want, facts)]


def test_what_the_site_does_not_name_is_left_alone() -> None:
    assert drift(wanted(), selinux={"mode": "enforcing", "configured": "enforcing", "bindings": True}) == []
    assert drift(wanted(), ip_forward={"live": "0", "configured": "0", "file": "x"}) == []


@pytest.mark.parametrize(
    ("found", "items"),
    [
        (("enforcing", "enforcing", True), []),
        (("permissive", "enforcing", True), [("selinux", "permissive", "enforcing")]),
        (("enforcing", "permissive", True), [("selinux", "permissive at boot", "enforcing")]),
        (("enforcing", "enforcing", False), [("selinux bindings", None, "installed")]),
        (("enforcing", "enforcing", None), []),
        (("disabled", "disabled", False), [("selinux", "disabled", "enforcing")]),
        (("absent", "", False), [("selinux", "absent", "enforcing")]),
    ],
)
def test_selinux_differs_now_or_at_boot(found: tuple[str, str, bool | None], items: list[Any]) -> None:
    seen = dict(zip(("mode", "configured", "bindings"), found, strict=True))
    assert drift(wanted(selinux="enforcing"), selinux=seen) == items


def test_permissive_is_nothing_to_do_where_there_is_no_policy() -> None:
    assert drift(wanted(selinux="permissive")) == []


@pytest.mark.parametrize(
    ("state", "active", "enabled", "differs"),
    [
        ("running", True, True, False),
        ("running", True, False, True),
        ("running", False, True, True),
        ("stopped", False, False, False),
        ("stopped", False, True, True),
        ("stopped", True, False, True),
    ],
)
def test_a_firewall_has_to_be_right_now_and_at_boot(state: str, active: bool, enabled: bool, differs: bool) -> None:
    seen = {"exists": True, "active": active, "enabled": enabled}
    assert bool(drift(wanted(firewalld=state), firewalld=seen)) == differs


def test_a_firewall_that_comes_stops_what_a_restart_of_docker_stops() -> None:
    facts = converged()["facts"]
    (entry,) = compare_system.compare(wanted(firewalld="running"), facts)
    assert entry["stops"]
    assert all(name in [one["name"] for one in facts["docker"]["containers"]] for name in entry["stops"])


def test_the_clock_has_one_keeper_and_the_sites_servers() -> None:
    keeper = {
        "file": "/etc/chrony.conf",
        "servers": ["a"],
        "own": [],
        "unit": "",
        "rivals": ["ntpd.service"],
        "active": False,
    }
    want = wanted(time_sync=True, time_servers=["b"])
    assert drift(want, clock={**keeper, "enabled": False}) == [
        ("time sync", None, "chrony running"),
        ("time sync rivals", "ntpd.service", "stopped"),
        ("time servers", "a", "b"),
    ]
    assert drift(wanted(time_sync=True, time_servers=["10.77.0.2"])) == []


def test_forwarding_has_to_outlive_a_boot() -> None:
    want = wanted(ip_forward=True)
    assert drift(want) == []
    seen = {"live": "1", "configured": "", "file": ""}
    assert drift(want, ip_forward=seen) == [("ip_forward", "1 now, not set at boot", "net.ipv4.ip_forward = 1")]


def test_kernel_packages_that_are_free_are_named() -> None:
    seen = {"packages": {"linux-image-a": False, "linux-image-b": True}, "excluded": [], "file": ""}
    assert drift(wanted(kernel_hold=True), kernel_hold=seen) == [("kernel hold", "linux-image-a free", "held")]


def test_a_system_that_nobody_met_is_a_remark_unless_the_site_names_it() -> None:
    tree = converged()
    tree["facts"]["os"].update(known=False, id="strangeos", pretty="Strange OS 1", package_manager="dnf")
    want = {"host_baseline": wanted()}
    (found,) = remarks.of(want, tree["facts"])
    assert found["area"] == "system"
    assert found["text"].startswith("Strange OS 1 (ID strangeos) is not a system that was met before")
    assert remarks.of({"host_baseline": wanted(system="dnf")}, tree["facts"]) == []
