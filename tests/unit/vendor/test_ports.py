"""hccn_tool: what the ports are set to, what /etc/hccn.conf does and does not do, and who answers on the wire."""

from __future__ import annotations

import json
import time

import pytest

DRIVER = "Ascend-hdk-910b-npu-driver_25.5.1_linux-$(uname -m | tr _ -).run"
CHIPS = "/var/lib/davinci-sim"
TOOL = "/usr/local/Ascend/driver/tools/hccn_tool"
CONF = "/etc/hccn.conf"
QUESTION = """
import socket
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.settimeout(1)
wire.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
wire.sendto(b'{"who_has": "10.1.0.3"}', ("192.0.2.255", 4791))
print(wire.recv(99).decode())
"""
NONE = "Get ip failed, because no ip was preset there!\n"


@pytest.fixture
def host(box):
    box.run(f"rm -f {CONF}; bash {DRIVER} --full --quiet --install-for-all")
    box.reboot()
    return box


def configure(host, *lines: str) -> None:
    host.run(f"cat >{CONF}", stdin="".join(line + "\n" for line in lines))


def fault(host, name: str, value: str) -> None:
    host.ok(f"mkdir -p $(dirname {CHIPS}/{name}); echo {value} >{CHIPS}/{name}")


def test_setting_a_port_changes_port_and_file(host) -> None:
    done = host.run(f"{TOOL} -i 0 -ip -g")
    assert (done.returncode, done.stdout) == (1, NONE)
    assert host.ok(f"{TOOL} -i 0 -net_health -g") == "net health status: Init\n"
    assert host.ok(f"{TOOL} -i 0 -netdetect -g") == "netdetect address: 0.0.0.0\n"
    host.ok(f"{TOOL} -i 0 -ip -s address 10.1.0.1 netmask 255.255.255.0")
    host.ok(f"{TOOL} -i 0 -netdetect -s address 10.1.0.254")
    host.ok(f"{TOOL} -i 0 -gateway -s gateway 10.1.0.254")
    assert host.ok(f"{TOOL} -i 0 -ip -g") == "ipaddr:10.1.0.1\nnetmask:255.255.255.0\n"
    assert host.ok(f"{TOOL} -i 0 -gateway -g") == "default gateway:10.1.0.254, Iface:eth0\n"
    assert host.ok(f"{TOOL} -i 0 -net_health -g") == "net health status: Success\n"
    assert host.ok(f"cat {CONF}; stat -c %a {CONF}").splitlines() == [
        "address_0=10.1.0.1",
        "netmask_0=255.255.255.0",
        "netdetect_0=10.1.0.254",
        "gateway_0=10.1.0.254",
        "644",
    ]
    assert host.run(f"{TOOL} -i 0 -ip -s address 10.1.0.1 netmask 255.0.255.0").returncode == 1


def test_edited_file_counts_after_recovery_and_at_boot(host) -> None:
    configure(host, "# ours", "address_1=10.1.0.2", "netmask_1=255.255.255.0", "dscp_tc_1=33:3,")
    assert host.run(f"{TOOL} -i 1 -ip -g").stdout == NONE
    done = host.run(f"{TOOL} -a -cfg recovery")
    assert done.returncode == 0
    assert done.stdout.count("recovery success") == 8
    assert "ipaddr:10.1.0.2\n" in host.ok(f"{TOOL} -i 1 -ip -g")
    configure(host, "address_1=10.1.0.9", "netmask_1=255.255.255.0")
    assert "ipaddr:10.1.0.2\n" in host.ok(f"{TOOL} -i 1 -ip -g")
    host.reboot()
    assert "ipaddr:10.1.0.9\n" in host.ok(f"{TOOL} -i 1 -ip -g")


def test_port_that_fails_is_named_and_the_others_are_set(host) -> None:
    lines = [line for n in range(8) for line in (f"address_{n}=10.1.0.{n + 1}", f"netmask_{n}=255.255.255.0")]
    configure(host, *lines, "gateway_3=10.2.0.254")
    fault(host, "cards/5/recovery", "fail")
    done = host.run(f"{TOOL} -a -cfg recovery")
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("dev:")] == [
        "dev:3 recovery fail",
        "dev:5 recovery fail",
    ]
    assert "ipaddr:10.1.0.5" in host.ok(f"{TOOL} -i 4 -ip -g")
    assert host.run(f"{TOOL} -i 5 -ip -g").stdout == NONE
    log = host.ok("cat /var/log/hccn_tool/hccn_config.log")
    assert "The segment of configured gateway doesn't match that of the configured ip address!" in log


def test_ping_is_lost_unless_somebody_with_a_link_has_the_address(host) -> None:
    for index, address in ((0, "10.1.0.1"), (1, "10.1.0.2")):
        host.ok(f"{TOOL} -i {index} -ip -s address {address} netmask 255.255.255.0")
    assert "0.00% packet loss" in host.ok(f"{TOOL} -i 0 -ping -g address 10.1.0.2")
    for other in ("10.1.0.3", "10.2.0.1"):
        done = host.run(f"{TOOL} -i 0 -ping -g address {other}")
        assert (done.returncode, "3 packets transmitted, 0 received, 100.00% packet loss" in done.stdout) == (1, True)
    fault(host, "cards/1/link", "DOWN")
    assert host.ok(f"{TOOL} -i 1 -link -g") == "link status: DOWN\n"
    assert host.run(f"{TOOL} -i 0 -ping -g address 10.1.0.2").returncode == 1
    fault(host, "cards/1/link", "UP")
    fault(host, "cards/0/unreachable", "10.1.0.2")
    assert host.run(f"{TOOL} -i 0 -ping -g address 10.1.0.2").returncode == 1


def test_other_hosts_are_answered_for_addresses_of_ours(host) -> None:
    host.ok(f"{TOOL} -i 2 -ip -s address 10.1.0.3 netmask 255.255.255.0")
    deadline = time.monotonic() + 15
    while (done := host.run("python3 -", stdin=QUESTION)).returncode:
        assert time.monotonic() < deadline, done.stderr
    assert json.loads(done.stdout) == {"here": "10.1.0.3"}


def test_what_a_port_says_about_itself(host) -> None:
    assert host.ok(f"{TOOL} -i 7 -speed -g") == "Speed: 200000 Mb/s\n"
    assert "Ifname: 200GE1/0/8" in host.ok(f"{TOOL} -i 7 -lldp -g")
    assert "present              : present" in host.ok(f"{TOOL} -i 7 -optical -g")
    fault(host, "cards/7/optical", "absent")
    assert "not present" in host.ok(f"{TOOL} -i 7 -optical -g")
    done = host.run(f"{TOOL} -i 8 -link -g")
    assert (done.returncode, done.stdout) == (1, "The device is not exist!\n")


def test_tls_needs_certificates_and_survives_a_reboot(host) -> None:
    done = host.run(f"{TOOL} -i 1 -tls -s enable 1")
    assert (done.returncode, done.stdout) == (1, "No certificate found, please set certs firstly!\n")
    fault(host, "cards/1/certificates", "yes")
    host.ok(f"{TOOL} -i 1 -tls -s enable 1")
    host.reboot()
    assert "dev_id:1, tls switch[1](0:disable, 1:enable)" in host.ok(f"{TOOL} -i 1 -tls -g")
    assert "dev_id:0, tls switch[0](0:disable, 1:enable)" in host.ok(f"{TOOL} -i 0 -tls -g")
