"""What is read from files and from /proc, in small pretended roots."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest

from plugins.filter import provision as filters
from plugins.module_utils.state import apt, boot, commands, docker, files, host, npu, processes, units, vendor


def write(root: Path, path: str, text: str) -> Path:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


def test_the_next_kernel_is_what_the_link_names(tmp_path: Path) -> None:
    write(tmp_path, "/boot/vmlinuz-6.1.0-20-amd64", "")
    (tmp_path / "boot/vmlinuz").symlink_to("vmlinuz-6.1.0-20-amd64")
    assert host.next_kernel(str(tmp_path)) == "6.1.0-20-amd64"


def test_the_next_kernel_is_the_saved_entry_of_grub(tmp_path: Path) -> None:
    write(tmp_path, "/boot/grub2/grubenv", "# GRUB Environment Block\nsaved_entry=abc-5.10.0-153\n")
    write(tmp_path, "/boot/loader/entries/abc-5.10.0-153.conf", "title x\nlinux /vmlinuz-5.10.0-153.oe2203.aarch64\n")
    assert host.next_kernel(str(tmp_path)) == "5.10.0-153.oe2203.aarch64"


def test_an_unknown_boot_loader_gives_no_next_kernel(tmp_path: Path) -> None:
    assert host.next_kernel(str(tmp_path)) is None


def test_an_account_shows_who_has_its_numbers(tmp_path: Path) -> None:
    write(tmp_path, "/etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/bash\nbroken\n")
    write(tmp_path, "/etc/group", "root:x:0:\nalice:x:1000:\ndocker:x:998:alice,bob\n")
    found = host.account("HwHiAiUser", 1000, 1000, str(tmp_path))
    assert (found["exists"], found["uid_owner"], found["gid_owner"]) == (False, "alice", "alice")
    assert host.group_members("docker", str(tmp_path)) == ["alice", "bob"]
    assert host.group_members("nobody", str(tmp_path)) == []


def test_disks_of_paths_that_are_not_there_yet(tmp_path: Path) -> None:
    found = host.disks([str(tmp_path / "a/b/c")])[0]
    assert found["total_bytes"] >= found["free_bytes"] > 0
    assert str(tmp_path).startswith(found["mount"])


def test_disabled_apt_files_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, "/etc/apt/sources.list.provision-disabled", "deb http://a b c\n")
    write(tmp_path, "/etc/apt/sources.list.d/x.list", "deb http://m/d bookworm main\n")
    write(tmp_path, "/etc/apt/sources.list.d/y.sources.provision-disabled", "Types: deb\n")
    assert list(apt.sources(str(tmp_path))) == ["/etc/apt/sources.list.d/x.list"]


def a_boot(root: Path, ticks: int) -> dict[str, object]:
    behind = " ".join(["S", *["0"] * 18, str(ticks), "1"])
    write(root, "/proc/1/stat", f"1 (a (strange) name) {behind}\n")
    write(root, "/proc/stat", "cpu 1 2\nbtime 1700000000\n")
    write(root, "/proc/sys/kernel/random/boot_id", "aaaa-bbbb\n")
    return dict(boot.identity(str(root)))


def test_a_boot_is_the_boot_id_and_the_start_of_process_one(tmp_path: Path) -> None:
    found = a_boot(tmp_path, 500)
    assert found["id"] == "aaaa-bbbb:500"
    assert found["booted"] == 1700000000 + 500 / os.sysconf("SC_CLK_TCK")
    assert str(found["booted_at"]).startswith("2023-11-14T22:13:")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps({"boot": "b:1", "reason": "driver installed"}), "driver installed"),
        (json.dumps({"boot": "b:0", "reason": "before"}), ""),
        ("[]", ""),
        ('{"boot"', "/var/lib/provision/reboot-required is not readable JSON"),
    ],
    ids=["this_boot", "an_earlier_boot", "other_content", "half_written"],
)
def test_the_reboot_mark_counts_in_its_own_boot(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path, boot.MARKER, text)
    assert boot.marker("b:1", str(tmp_path)) == reason


def a_process(proc: Path, pid: int, words: list[str], **more: str) -> None:
    write(proc, f"{pid}/cmdline", "\0".join(words) + "\0")
    write(proc, f"{pid}/comm", more.get("comm", "x") + "\n")
    write(proc, f"{pid}/cgroup", more.get("cgroup", "0::/init.scope\n"))
    (proc / str(pid) / "fd").mkdir()
    for number, target in enumerate(more.get("fds", "").split()):
        (proc / str(pid) / "fd" / str(number)).symlink_to(target)


def test_a_running_installer_is_seen_and_a_text_that_names_it_is_not(tmp_path: Path) -> None:
    package = "/tmp/Ascend-hdk-910b-npu-driver_25.5.1_linux-x86-64.run"
    a_process(tmp_path, 10, ["bash", package, "--full", "--quiet"])
    a_process(tmp_path, 11, ["sh", "-c", f"ls {package}"])
    a_process(tmp_path, 12, ["vi", "/tmp/npu-driver.run.txt"])
    assert processes.installers(str(tmp_path)) == [f"bash {package} --full --quiet"]


def test_processes_that_hold_cards_are_seen(tmp_path: Path) -> None:
    long = "a" * 64
    a_process(
        tmp_path, 10, ["python3"], comm="python3", fds="/dev/null /dev/davinci3 /dev/davinci12 /dev/davinci_manager"
    )
    a_process(tmp_path, 11, ["x"], comm="vllm", cgroup=f"0::/system.slice/docker-{long}.scope\n", fds="/dev/davinci0")
    a_process(tmp_path, 12, ["x"], fds="/dev/davinci_manager")
    assert processes.holders(str(tmp_path)) == [
        {"pid": 10, "name": "python3", "cards": [3, 12], "container": ""},
        {"pid": 11, "name": "vllm", "cards": [0], "container": long},
    ]


def test_card_nodes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("davinci10", "davinci2", "davinci_manager", "davinci"):
        write(tmp_path, name, "")
    assert npu.card_nodes(str(tmp_path)) == [f"{tmp_path}/davinci2", f"{tmp_path}/davinci10"]


def test_a_file_in_place_of_a_device_node_is_no_node(tmp_path: Path) -> None:
    assert npu.nodes([str(write(tmp_path, "davinci0", "")), "/dev/null"])[0]["path"] == "/dev/null"


def test_the_lock_of_the_monitor_brings_its_folder_and_keeps_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npu, "LOCK", str(tmp_path / "provision" / "npu-smi.lock"))
    monkeypatch.setattr(npu, "LOCK_SECONDS", 0.0)
    lock = npu._locked()
    assert lock is not None
    assert stat.S_IMODE((tmp_path / "provision").stat().st_mode) == 0o755
    assert npu._locked() is None
    os.close(lock)


def test_pci_functions_are_found_by_id_and_by_class(tmp_path: Path) -> None:
    functions = {
        "0000:01:00.0": ("0x19e5", "0xd802", "0x120000"),
        "0000:02:00.0": ("0x8086", "0x1", "0x020000"),
        "0000:03:00.0": ("0x19e5", "0xd801", "0x060400"),
    }
    for address, ids in functions.items():
        folder = f"{npu.PCI}/{address}"
        for name, value in zip(("vendor", "device", "class"), ids, strict=True):
            write(tmp_path, f"{folder}/{name}", value + "\n")
        write(tmp_path, f"{folder}/subsystem_vendor", "0x19e5\n")
        write(tmp_path, f"{folder}/subsystem_device", "0x3004\n")
    found = npu.pci(["19e5:d801"], str(tmp_path))
    assert [(entry["address"], entry["id"], entry["subsystem"]) for entry in found] == [
        ("0000:01:00.0", "19e5:d802", "19e5:3004"),
        ("0000:03:00.0", "19e5:d801", "19e5:3004"),
    ]


def a_driver(root: Path) -> None:
    write(root, "/usr/local/Ascend/driver/version.info", "Version=25.5.1\n")
    write(root, "/usr/local/Ascend/driver/tools/upgrade-tool", "x")


def test_a_whole_driver_is_complete(tmp_path: Path) -> None:
    a_driver(tmp_path)
    found = vendor.package("driver", "/usr/local/Ascend", str(tmp_path))
    assert (found["present"], found["installed"], found["complete"], found["missing"]) == (True, "25.5.1", True, [])
    assert found["changed"] > 0


@pytest.mark.parametrize("part", ["version.info", "tools/upgrade-tool"])
def test_a_driver_without_one_of_its_files_is_not_whole(tmp_path: Path, part: str) -> None:
    a_driver(tmp_path)
    (tmp_path / "usr/local/Ascend/driver" / part).unlink()
    found = vendor.package("driver", "/usr/local/Ascend", str(tmp_path))
    assert (found["present"], found["complete"]) == (True, False)
    assert found["missing"] == [f"/usr/local/Ascend/driver/{part}"]


def test_a_driver_was_installed_when_both_its_files_were_written(tmp_path: Path) -> None:
    a_driver(tmp_path)
    log = write(tmp_path, vendor.LOG, "[Driver] [t] [INFO]Start time: t\n")
    os.utime(log, (5, 5))  # somebody's chmod of version.info is no installation
    assert vendor.package("driver", "/usr/local/Ascend", str(tmp_path))["changed"] == 5.0
    log.write_text("")
    assert vendor.package("driver", "/usr/local/Ascend", str(tmp_path))["changed"] > 5.0


def test_an_upgrade_that_was_killed_is_not_whole_whatever_version_info_says(tmp_path: Path) -> None:
    a_driver(tmp_path)
    log = "[Driver] [t] [INFO]Start time: t\n[Driver] [t] [INFO]upgradePercentage:30%\n"
    write(tmp_path, vendor.LOG, log)
    assert not vendor.package("driver", "/usr/local/Ascend", str(tmp_path))["complete"]
    assert not vendor.package("firmware", "/usr/local/Ascend", str(tmp_path))["present"]


def test_version_info_that_is_a_directory_is_no_version(tmp_path: Path) -> None:
    a_driver(tmp_path)
    (tmp_path / "usr/local/Ascend/driver/version.info").unlink()
    (tmp_path / "usr/local/Ascend/driver/version.info").mkdir()
    assert vendor.package("driver", "/usr/local/Ascend", str(tmp_path))["installed"] is None


def test_the_install_record_says_where_the_driver_is(tmp_path: Path) -> None:
    write(tmp_path, vendor.INSTALL_INFO, "UserName=HwHiAiUser\nDriver_Install_Path_Param=/opt/Ascend\n")
    info = vendor.install_info(str(tmp_path))
    assert vendor.install_path("driver", info, "/usr/local/Ascend") == "/opt/Ascend"
    assert vendor.install_path("firmware", info, "/usr/local/Ascend") == "/usr/local/Ascend"


def test_an_install_record_that_is_a_directory_is_not_valid(tmp_path: Path) -> None:
    (tmp_path / vendor.INSTALL_INFO.lstrip("/")).mkdir(parents=True)
    assert not vendor.install_info(str(tmp_path))["valid"]


def test_the_runtime_needs_its_list_of_mounts(tmp_path: Path) -> None:
    folder = "/usr/local/Ascend/Ascend-Docker-Runtime"
    write(tmp_path, f"{folder}/ascend-docker-runtime", "x")
    write(tmp_path, f"{folder}/ascend_docker_runtime_install.info", "version=v26.1.0\narch=x86_64\n")
    found = vendor.runtime_info("/usr/local/Ascend", str(tmp_path))
    assert (found["installed"], found["complete"], found["missing"]) == ("v26.1.0", False, [vendor.RUNTIME_LIST])
    write(tmp_path, vendor.RUNTIME_LIST, "/usr/local/dcmi\n")
    assert vendor.runtime_info("/usr/local/Ascend", str(tmp_path))["complete"]


@pytest.mark.parametrize(
    ("text", "valid", "content"),
    [
        ('{"bip": "x"}', True, {"bip": "x"}),
        ("", True, {}),
        ("{", False, {}),
        ("[1]", False, {}),
        (
            '{"proxies": {"http-proxy": "http://me:secret@proxy:80"}}',
            True,
            {"proxies": {"http-proxy": "http://***@proxy:80"}},
        ),
    ],
    ids=["object", "empty", "broken", "list", "login"],
)
def test_daemon_json_is_read_without_logins(tmp_path: Path, text: str, valid: bool, content: object) -> None:
    found = docker.daemon_json(str(write(tmp_path, "daemon.json", text)))
    assert (found["exists"], found["valid"], found["content"]) == (True, valid, content)
    assert bool(found["error"]) is not valid


def test_an_absent_daemon_json_is_no_fault(tmp_path: Path) -> None:
    assert docker.daemon_json(str(tmp_path / "x"))["valid"]


def test_dockerd_is_found_by_its_pid_file_or_its_name(tmp_path: Path) -> None:
    a_process(tmp_path, 10, ["dockerd"], comm="dockerd")
    a_process(tmp_path, 11, ["x"], comm="sshd")
    assert docker.daemon_runs(str(tmp_path), str(tmp_path / "no.pid"))
    assert docker.daemon_runs(str(tmp_path), str(write(tmp_path, "docker.pid", "10\n")))
    assert not docker.daemon_runs(str(tmp_path), str(write(tmp_path, "docker.pid", "11\n")))


def test_a_unit_tells_its_digest_and_that_it_was_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, "/etc/systemd/system/a.service", "[Unit]\nX-Provision-Digest=0123abcd\n")
    shown = {"LoadState": "loaded", "ActiveState": "activating", "SubState": "auto-restart", "NeedDaemonReload": "yes"}
    found = units.describe(shown, "a.service", str(tmp_path))
    assert (found["exists"], found["active"], found["digest"]) == (True, False, "0123abcd")
    assert found["state"] == "activating (auto-restart)"
    assert "has not read" in found["stale"]
    assert units.describe({}, "b.service", str(tmp_path))["exists"] is False


def test_a_process_older_than_its_unit_is_stale(tmp_path: Path) -> None:
    unit = write(tmp_path, "/etc/systemd/system/a.service", "")
    shown = {"LoadState": "loaded", "ActiveState": "active", "ExecMainStartTimestampMonotonic": "1000000"}
    assert "before the unit's file was written" in units.describe(shown, "a.service", str(tmp_path))["stale"]
    os.utime(unit, (1, 1))
    assert units.describe(shown, "a.service", str(tmp_path))["stale"] == ""


def test_an_edit_of_a_sealed_unit_is_seen(tmp_path: Path) -> None:
    text = filters.sealed("[Unit]\nX-Provision-Digest=0123abcd\n[Service]\nExecStart=/bin/a\n") + "\n"
    unit = write(tmp_path, "/etc/systemd/system/a.service", text)
    assert units.describe({}, "a.service", str(tmp_path))["edited"] is False
    unit.write_text(text.replace("/bin/a", "/bin/b"))
    assert units.describe({}, "a.service", str(tmp_path))["edited"] is True
    unit.write_text("[Unit]\nX-Provision-Digest=0123abcd\n")
    assert units.describe({}, "a.service", str(tmp_path))["edited"] is False


def test_drop_ins_of_the_unit_count_and_those_of_every_service_do_not(tmp_path: Path) -> None:
    own = "/etc/systemd/system/a.service.d/override.conf"
    shown = {"DropInPaths": f"/usr/lib/systemd/system/service.d/10-timeout-abort.conf {own}"}
    assert units.describe(shown, "a.service", str(tmp_path))["drop_ins"] == [own]


def test_how_long_a_unit_has_been_active(tmp_path: Path) -> None:
    shown = {"ActiveState": "active", "ActiveEnterTimestampMonotonic": str(int((time.monotonic() - 42) * 1e6))}
    assert units.describe(shown, "a.service", str(tmp_path))["active_seconds"] in {42, 43}
    shown["ActiveState"] = "activating"
    assert units.describe(shown, "a.service", str(tmp_path))["active_seconds"] == 0


def test_a_command_that_hangs_or_is_absent_has_a_code() -> None:
    assert commands.run(["sleep", "5"], 0.1)[0] == commands.TIMED_OUT
    assert commands.run(["no-such-command-here"], 1)[0] == commands.NOT_FOUND
    assert commands.run(["sh", "-c", "echo $LC_ALL; exit 3"], 5) == (3, "C\n")


def test_files_that_are_absent_or_too_large_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 3)
    assert files.text(str(write(tmp_path, "x", "abcd"))) is None
    assert files.text(str(tmp_path)) is None
    assert files.tail(str(write(tmp_path, "x", "abcd")), 2) == "cd"
    assert files.which("sh") is not None
    assert files.which("x", str(tmp_path)) is None


def test_headers_of_the_next_kernel_are_looked_for(tmp_path: Path) -> None:
    assert host.system(str(tmp_path))["kernel_next_headers"] is None
    write(tmp_path, "/boot/vmlinuz-6.1.0-20-amd64", "")
    (tmp_path / "boot/vmlinuz").symlink_to("vmlinuz-6.1.0-20-amd64")
    assert host.system(str(tmp_path))["kernel_next_headers"] is False
    write(tmp_path, "/lib/modules/6.1.0-20-amd64/build/Makefile", "")
    assert host.system(str(tmp_path))["kernel_next_headers"] is True
