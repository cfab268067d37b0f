"""The driver and firmware installers, run for real on a throwaway host."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

NEW = "Ascend-hdk-910b-npu-driver_25.5.1_linux-$(uname -m | tr _ -).run"
OLD = "Ascend-hdk-910b-npu-driver_24.1.rc3_linux-$(uname -m | tr _ -).run"
NEW_FIRMWARE = "Ascend-hdk-910b-npu-firmware_7.8.0.6.201.run"
OLD_FIRMWARE = "Ascend-hdk-910b-npu-firmware_7.5.0.1.129.run"
FULL = "--nox11 --full --quiet --install-for-all"
CHIPS = "/var/lib/davinci-sim"
ROOT = "/usr/local/Ascend/driver"


def plain(text: str) -> str:
    return re.sub(r"\033\[\d*m", "", text)


def refused(box, options: str, number: str) -> None:
    done = box.run(f"bash {NEW} {options}")
    assert done.returncode == 1, done.stdout
    assert f"ERR_NO:{number}" in done.stdout


@pytest.fixture
def active(box):
    """A host with the new driver and firmware running."""
    assert box.run(f"bash {NEW} {FULL}").returncode == 2
    box.ok(f"bash {NEW_FIRMWARE} --full --quiet")
    box.reboot()
    return box


@pytest.mark.parametrize(
    "options",
    [
        "--full --upgrade",
        "--full --run",
        "--quiet",
        "--version --quiet",
        "--check --full",
        "--upgrade --install-path=/opt/a",
        "--upgrade --install-username=a --install-usergroup=a",
        "--full --install-username=a",
        "--docker --install-for-all",
        "--full --nonsense",
        "--full --nox11",
        "",
    ],
)
def test_options_that_do_not_go_together(bare, options: str) -> None:
    refused(bare, options, "0x0004")


def test_root_owns_devices_only_for_all_users(bare) -> None:
    refused(bare, "--full --quiet --install-username=root --install-usergroup=root", "0x0091")


def test_missing_account_is_refused(box) -> None:
    box.ok("sed -i /HwHiAiUser/d /etc/passwd")
    done = box.run(f"bash {NEW} {FULL}")
    assert done.returncode == 1
    assert "ERR_NO:0x0091;ERR_DES:HwHiAiUser not exists! Please add HwHiAiUser" in done.stdout
    assert box.run("ls /usr/local/Ascend /etc/ascend_install.info").returncode == 2


def test_missing_account_whose_usual_id_is_taken_is_named(box) -> None:
    box.ok("sed -i /HwHiAiUser/d /etc/passwd; echo first:x:1000:1000::/:/bin/bash >>/etc/passwd")
    done = box.run(f"bash {NEW} {FULL}")
    assert done.returncode == 1
    assert "HwHiAiUser is not exists and the default id is used, please create HwHiAiUser by hand" in done.stdout
    assert "ERR_NO:0x0091" in done.stdout


def test_another_account_than_the_last_one_is_refused(active) -> None:
    active.ok("echo other:x:4242:4242::/:/bin/bash >>/etc/passwd; echo other:x:4242: >>/etc/group")
    refused(active, f"{FULL} --install-username=other --install-usergroup=other", "0x0095")


def test_account_outside_its_group_is_refused(box) -> None:
    box.ok(
        "sed -i 's/^HwHiAiUser:x:12345:12345/HwHiAiUser:x:12345:12346/' /etc/passwd; echo other:x:12346: >>/etc/group"
    )
    refused(box, FULL, "0x0096")


def test_account_without_login_shell_is_refused(box) -> None:
    box.ok("sed -i '/^HwHiAiUser/s|/bin/bash|/usr/sbin/nologin|' /etc/passwd")
    refused(box, FULL, "0x0003")
    assert box.run("ls /usr/local/Ascend").returncode == 2


@pytest.mark.parametrize("path", ["relative", "/opt/a.b", "/no/such/parent"])
def test_install_path_is_checked(bare, path: str) -> None:
    refused(bare, f"--full --quiet --install-path={path}", "0x0003")


def test_parents_belong_to_root_and_let_others_in(box) -> None:
    box.ok("mkdir -p /srv/a/b; chown 12345 /srv/a")
    assert "should belong to root" in box.run(f"bash {NEW} --full --quiet --install-path=/srv/a/b").stdout
    box.ok("chown root /srv/a; chmod 750 /srv/a; chgrp HwHiAiUser /srv/a")
    assert "permission is too small" in box.run(f"bash {NEW} --full --quiet --install-path=/srv/a/b").stdout


def test_too_little_space_is_refused(box) -> None:
    box.ok(
        "mkdir -p /usr/local/Ascend; mount -t tmpfs -o size=200m none /usr/local/Ascend; chmod 755 /usr/local/Ascend"
    )
    done = box.run(f"bash {NEW} {FULL}")
    assert done.returncode == 1
    assert "free space only" in done.stdout


def test_all_in_one_package_ends_with_code_0_and_installs_nothing(box) -> None:
    box.ok("touch /etc/HiAI_install.info")
    assert "ERR_NO:0x0094" in box.ok(f"bash {NEW} {FULL}")
    assert box.run("ls /usr/local/Ascend").returncode == 2


def test_missing_tools_are_listed(box) -> None:
    box.ok("rm /opt/tools/lspci /opt/tools/ifconfig")
    done = box.run(f"bash {NEW} {FULL}")
    assert done.returncode == 1
    assert "[ERROR]The list of missing tools: lspci,ifconfig" in plain(done.stdout)


def test_wrong_chip_is_only_a_warning_when_quiet(box) -> None:
    box.ok("for d in /sys/bus/pci/devices/*; do echo 0xd500 >$d/device; done")
    done = box.run(f"bash {NEW} {FULL}")
    assert done.returncode == 2
    assert "There is no chip matching the driver package." in plain(done.stdout)
    assert "do you want to continue? [y/n]" in box.run(f"bash {NEW} --full", stdin="n\n").stdout


def test_question_never_ends_on_closed_input(box) -> None:
    box.run(f"bash {NEW} {FULL}")
    done = box.run(f"timeout 4 bash {NEW} --full </dev/null")
    assert done.returncode == 124
    assert done.stdout.count("ERR_NO:0x0002") > 3
    assert box.run(f"bash {NEW} --full", stdin="n\n").returncode == 0
    assert "Stop installation!" in box.run(f"bash {NEW} --full", stdin="n\n").stdout


def test_first_installation_needs_a_reboot(box) -> None:
    done = box.run(f"bash {NEW} {FULL}")
    assert done.returncode == 2
    assert "Driver package installed successfully! Reboot needed for installation/upgrade" in plain(done.stdout)
    assert box.ok("cat /etc/ascend_install.info; stat -c %a:%U /etc/ascend_install.info").splitlines() == [
        "UserName=HwHiAiUser",
        "UserGroup=HwHiAiUser",
        "Driver_Install_Type=full",
        "Driver_Install_Path_Param=/usr/local/Ascend",
        "Driver_Install_For_All=yes",
        "Driver_Install_Mode=normal",
        "644:root",
    ]
    assert "Version=25.5.1\n" in box.ok(f"cat {ROOT}/version.info")
    before = box.run("npu-smi info")
    assert (before.returncode, "ret is -8005" in before.stdout) == (1, True)
    assert box.run(f"{ROOT}/boot/host_sys_init start").returncode == 1, "not in this boot"
    assert box.run("ls /dev/davinci0").returncode == 2
    box.reboot()
    assert "| npu-smi 25.5.1 " in box.ok("npu-smi info")
    nodes = box.ok("stat -c '%n %U:%G %a %F' /dev/davinci* /dev/devmm_svm /dev/hisi_hdc").splitlines()
    assert len(nodes) == 11
    assert all(" HwHiAiUser:HwHiAiUser 660 character special file" in node for node in nodes)


def test_installed_and_running_versions_differ_until_the_reboot(active) -> None:
    assert "Software Version               : 25.5.1" in active.ok("npu-smi info -t board -i 0")
    assert active.run(f"bash {OLD_FIRMWARE} --upgrade --quiet").returncode == 2, "this one reports a reboot"
    assert "Version=7.5.0.1.129" in active.ok("cat /usr/local/Ascend/firmware/version.info")
    assert "Firmware Version               : 7.8.0.6.201" in active.ok("npu-smi info -t board -i 0")
    active.reboot()
    assert "Firmware Version               : 7.5.0.1.129" in active.ok("npu-smi info -t board -i 0")


def test_driver_older_than_the_flash_is_refused(active) -> None:
    done = active.run(f"bash {OLD} --upgrade --quiet")
    assert done.returncode == 1
    assert "the driver package version=24103 is earlier than the device flash hardware version=25501" in done.stdout
    assert "| npu-smi 25.5.1 " in active.ok("npu-smi info")


def test_older_driver_goes_in_when_the_cards_allow_it(active) -> None:
    active.ok(f"echo 24103 >{CHIPS}/flash_version")
    done = active.run(f"bash {OLD} --upgrade --quiet")
    assert done.returncode == 2
    assert "Driver package upgraded successfully!" in done.stdout
    active.reboot()
    board = active.ok("npu-smi info -t board -i 0")
    assert "Software Version               : 24.1.rc3" in board
    assert "Compatibility                  : NOK" in board
    assert "Card Count" in active.ok("npu-smi info -l")


def test_held_cards_refuse_a_change_unless_forced(active) -> None:
    active.ok("(sleep 30 </dev/davinci3 >/dev/null 2>&1 &)")
    done = active.run(f"bash {NEW} --upgrade --quiet")
    assert done.returncode == 1
    assert "The davinci nodes are occupied by some processes" in done.stdout
    assert "| 3       0                 | " in active.ok("npu-smi info")
    assert active.run(f"bash {NEW} --upgrade --quiet --force").returncode == 2


def test_cards_can_make_the_new_driver_effective_at_once(box) -> None:
    box.ok(f"echo success >{CHIPS}/hot_reset")
    assert "The new version takes effect immediately." in box.ok(f"bash {NEW} {FULL}")
    assert "No running processes found in NPU 7" in box.ok("npu-smi info")


def test_only_one_installer_at_a_time(box) -> None:
    box.ok(f"echo 1 >{CHIPS}/pace; (bash {NEW} {FULL} >/dev/null 2>&1 &)")
    wait_for(lambda: box.run(f"ls {ROOT}").returncode == 0)
    done = box.run(f"bash {NEW_FIRMWARE} --full --quiet")
    assert done.returncode == 1
    assert "ERR_NO:0x0094" in done.stdout


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def kill_installers(box) -> None:
    """Kill -9 every process of the installer, from outside, as a lost session does."""
    own = Path(f"/proc/{box.pid}/ns/pid").readlink()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inside = (folder / "ns/pid").readlink() == own and int(folder.name) != box.pid
        except OSError:
            continue
        if inside:
            os.kill(int(folder.name), signal.SIGKILL)


@pytest.mark.parametrize(("seen", "absent"), [("lib64", "version.info"), ("version.info", "tools/upgrade-tool")])
def test_killed_installer_leaves_half_a_driver_that_does_not_start(box, seen: str, absent: str) -> None:
    box.ok(f"echo 1 >{CHIPS}/pace; (bash {NEW} {FULL} >/dev/null 2>&1 &)")
    wait_for(lambda: box.run(f"ls {ROOT}/{seen}").returncode == 0)
    kill_installers(box)
    assert box.run(f"ls {ROOT}/{absent}").returncode == 2
    box.reboot()
    assert box.run("ls /dev/davinci0").returncode == 2
    box.ok(f"echo 0 >{CHIPS}/pace")
    assert box.run(f"bash {NEW} {FULL}").returncode == 2
    box.reboot()
    box.ok("npu-smi info")


def test_firmware_needs_a_driver(bare) -> None:
    done = bare.run(f"bash {NEW_FIRMWARE} --full --quiet")
    assert done.returncode == 1
    assert "ERR_NO:0x0080" in done.stdout


def test_uninstall(active) -> None:
    done = active.ok(f"bash {ROOT}/script/uninstall.sh --quiet")
    assert "Driver package uninstalled successfully!" in done
    assert "Driver_" not in active.ok("cat /etc/ascend_install.info"), "the firmware keeps the file"
    assert "ERR_NO:0x0080" in active.run(f"bash {NEW} --uninstall").stdout
    active.ok("bash /usr/local/Ascend/firmware/script/uninstall.sh")
    assert active.run(f"ls /etc/ascend_install.info {ROOT} /usr/local/bin/npu-smi").stdout == ""
