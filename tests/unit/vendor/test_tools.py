"""npu-smi, upgrade-tool, hccn_tool and the boot script on a host with a running driver."""

from __future__ import annotations

import json

import pytest

DRIVER = "Ascend-hdk-910b-npu-driver_25.5.1_linux-$(uname -m | tr _ -).run"
CHIPS = "/var/lib/davinci-sim"
TOOLS = "/usr/local/Ascend/driver/tools"
BOOT = "/usr/local/Ascend/driver/boot/host_sys_init"


@pytest.fixture
def host(box):
    box.run(f"bash {DRIVER} --full --quiet --install-for-all")
    box.reboot()
    return box


def test_removed_node_comes_back_with_the_boot_unit(host) -> None:
    host.ok("rm /dev/davinci3")
    assert host.run("ls /dev/davinci3").returncode == 2
    host.ok("npu-smi info")
    assert host.run("ls /dev/davinci3").returncode == 2
    host.ok(f"{BOOT} start")
    assert host.ok("stat -c %U:%a /dev/davinci3") == "HwHiAiUser:660\n"


def test_faults_of_the_cards_show(host) -> None:
    host.ok(f"mkdir -p {CHIPS}/cards/2 {CHIPS}/cards/5; echo Alarm >{CHIPS}/cards/2/health")
    host.ok(f"echo 81338004 >{CHIPS}/cards/2/error_code; echo no >{CHIPS}/cards/5/present")
    table = host.ok("npu-smi info")
    assert "| 2     910B2               | Alarm " in table
    assert "| 5     910B2" not in table
    assert "Health Status                  : Alarm" in host.ok("npu-smi info -t health -i 2 -c 0")
    assert "Total Count                    : 7" in host.ok("npu-smi info -l")
    host.reboot()
    assert host.run("ls /dev/davinci5").returncode == 2


def test_second_call_at_a_time_breaks_off(host) -> None:
    host.ok(f"echo 1 >{CHIPS}/smi_seconds")
    both = host.ok(
        "npu-smi info >/tmp/first & sleep 0.4; npu-smi info >/tmp/second; wait; wc -l </tmp/first; wc -l </tmp/second"
    )
    first, second = map(int, both.split())
    assert second < first
    assert not host.ok("cat /tmp/second").endswith("\n")


def test_starting_devices_ask_for_patience(host) -> None:
    host.ok(f"echo 60 >{CHIPS}/start_seconds")
    host.reboot()
    assert "ret is -8012" in host.run("npu-smi info").stdout
    assert host.run(f"{TOOLS}/upgrade-tool --device_index -1 --boot_status").returncode == 1


def test_caller_without_rights_gets_8005(host) -> None:
    done = host.run("setpriv --reuid=65534 --clear-groups npu-smi info")
    assert (done.returncode, "ret is -8005" in done.stdout) == (1, True)


def test_boot_status(host) -> None:
    assert host.ok(f"{TOOLS}/upgrade-tool --device_index -1 --boot_status").count("boot status:16") == 8
    assert '"version":25.5.1' in host.ok(f"{TOOLS}/upgrade-tool --device_index 0 --system_version")
    assert '"component":nve' in host.ok(f"{TOOLS}/upgrade-tool --device_index -1 --component -1 --version")


def test_module_of_another_kernel_is_not_loaded(host) -> None:
    host.ok("sed -i s/^vermagic=.*/vermagic=0.0.0/ /lib/modules/$(uname -r)/updates/dkms/davinci_ascend.ko")
    host.reboot()
    assert "ret is -8005" in host.run("npu-smi info").stdout
    assert host.run("ls /dev/davinci0").returncode == 2


def test_without_its_libraries_npu_smi_does_not_start(host) -> None:
    host.ok("rm -r /usr/local/Ascend/driver/lib64")
    done = host.run("npu-smi info")
    assert done.returncode == 127
    assert "cannot open shared object file" in done.stderr


def test_loaded_driver_is_on_record(host) -> None:
    record = json.loads(host.ok("cat /run/davinci-sim/loaded.json"))
    assert (record["driver"], record["firmware"], len(record["chips"])) == ("25.5.1", "7.1.0.3.220", 8)
