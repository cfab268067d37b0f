"""The main job as an operator meets it: each test goes on from where the one before left the site."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.serving import archive

from .site import HOSTS, MINUTE, ROOT, UNITS, answer, good, inside, on, provision, wanted, witnesses

ROLES = [
    "host_baseline",
    "docker_engine",
    "npu_driver",
    "npu_firmware",
    "ascend_docker_runtime",
    "container_image",
    "model_store",
    "ray_cluster",
    "inference_service",
]
PACE = Path("/var/lib/davinci-sim/pace")  # of the vendor's stand-in: a factor on the time that installations take
# The brackets keep the shell that looks for it from finding itself.
INSTALLER = '"npu-driver.*[.]run"'


@pytest.fixture
def broken_site() -> Iterator[Path]:
    """Yield a copy of the lab's site that a test may spoil, beside the others so that relative paths hold."""
    folder = ROOT / "inventories" / f"e2e-{os.getpid()}"
    folder.mkdir()
    (folder / "site.yml").write_text((ROOT / "inventories/lab/site.yml").read_text(encoding="utf-8"), encoding="utf-8")
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def test_01_an_unreachable_host_is_named_and_nothing_is_touched(broken_site: Path) -> None:
    site = yaml.safe_load((broken_site / "site.yml").read_text(encoding="utf-8"))
    good(provision("render"))  # the ssh_config by which these tests look at hosts
    site["hosts"][1]["address"] = "10.77.0.99"  # in the lab's own network, nobody's
    (broken_site / "site.yml").write_text(yaml.safe_dump(site), encoding="utf-8")
    done = provision("up", "--yes", inventory=broken_site)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "node2" in done.stderr
    assert "10.77.0.99" in done.stderr
    for host in HOSTS:
        assert on(host, "ls -d /usr/local/Ascend /etc/docker /var/lib/provision 2>/dev/null | wc -l") == "0"


def test_02_the_plan_of_bare_hosts_names_every_role() -> None:
    plan = answer("plan")
    assert plan["drift"] is True
    assert plan["roles"] == ROLES
    assert plan["reboots"] == list(HOSTS)
    assert plan["bytes"] > 10_000_000


def test_03_a_killed_run_is_finished_by_the_next_one() -> None:
    on("node2", f"mkdir -p {PACE.parent}; echo 4 > {PACE}")  # time enough to hit the middle on a busy machine, too
    first = subprocess.Popen(
        [sys.executable, "-m", "driver", "--inventory", "lab", "up", "--yes"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    limit = time.monotonic() + 10 * MINUTE
    # files of the driver are being written: what is killed now leaves a half installation
    while not on("node2", f"test -d /usr/local/Ascend/driver && pgrep -f {INSTALLER} | head -1", check=False):
        assert first.poll() is None, "the run ended before its driver installer was seen"
        assert time.monotonic() < limit
        time.sleep(0.2)
    os.kill(first.pid, signal.SIGKILL)
    on("node2", f"pkill -9 -f {INSTALLER}")  # the one on node1 goes on by itself
    on("node2", f"rm {PACE}")
    first.wait()
    changes = answer("plan")["hosts"]["node2"]["changes"]
    assert ("driver installation", "incomplete") in {(change["what"], change["before"]) for change in changes}, changes
    output = good(provision("up", "--yes", timeout=20 * MINUTE))
    assert "tiny test model" in output  # the answer of the chat completion
    assert "report.html" in output


def test_04_a_second_run_changes_nothing() -> None:
    before = {host: witnesses(host) for host in HOSTS}
    began = time.monotonic()
    output = good(provision("up", "--yes"))
    assert time.monotonic() - began < 30
    assert "no drift" in output or "nothing to do" in output
    assert {host: witnesses(host) for host in HOSTS} == before
    assert answer("plan")["drift"] is False


def test_05_the_checks_are_green_and_leave_their_papers() -> None:
    done = provision("check")
    output = good(done)
    run = newest_run("check")
    suite = ET.parse(run / "junit.xml").getroot()  # noqa: S314 - our own file
    cases = list(suite.iter("testcase"))
    assert len(cases) > 30
    assert not list(suite.iter("failure"))
    assert not list(suite.iter("skipped"))
    assert {host for host in HOSTS if any(host in str(case.attrib) for case in cases)} == set(HOSTS)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "http-equiv" not in page
    assert 'src="http' not in page
    assert f"{run.name}/report.html" in output


def newest_run(verb: str) -> Path:
    return max(
        (path for path in (ROOT / "runs").iterdir() if path.name.endswith(f"-{verb}")),
        key=lambda path: path.stat().st_mtime,
    )


FAULTS = yaml.safe_load((Path(__file__).parent / "faults.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["name"].replace(" ", "-"))
def test_06_a_fault_is_found_planned_and_mended_alone(fault: dict[str, Any]) -> None:
    before = {host: witnesses(host) for host in HOSTS}
    on(fault["host"], fault["command"])
    red = provision("check")
    assert red.returncode == 6, red.stdout + red.stderr
    assert fault["host"] in red.stdout + red.stderr
    assert fault["says"] in red.stdout + red.stderr
    plan = answer("plan")
    drifting = {host: sorted({change["role"] for change in found["changes"]}) for host, found in plan["hosts"].items()}
    others = [host for host in HOSTS if host != fault["host"]]
    assert drifting[fault["host"]] == sorted(fault["roles"]), plan
    # A service across hosts stands or falls with its parts; nothing else may be red or touched elsewhere.
    disturbs = fault.get("disturbs_cluster", False)
    elsewhere = {"ray_cluster", "inference_service"} if disturbs else set()
    assert all(set(drifting[host]) <= elsewhere for host in others), plan
    good(provision("up", "--yes"))
    assert answer("plan")["drift"] is False
    for host in HOSTS:
        after = witnesses(host)
        allowed = set(fault["may_touch"]) if host == fault["host"] else {"units"} if disturbs else set()
        touched = {name for name in before[host] if before[host][name] != after.get(name)}
        assert touched <= allowed, f"{host}: {touched - allowed} was touched"
    good(provision("check"))


def test_07_mending_one_host_of_a_cluster_keeps_its_service() -> None:
    on("node2", "systemctl stop provision-ray-chat.service")
    plan = answer("plan", "--limit", "node2")
    assert plan["guests"] == ["node1"]
    output = good(provision("up", "--yes", "--limit", "node2"))
    assert "tiny test model" in output
    assert answer("plan")["drift"] is False
    good(provision("check"))


def test_08_a_rebooted_host_serves_again_by_itself() -> None:
    on("node1", "systemctl reboot", check=False)
    limit = time.monotonic() + 6 * MINUTE
    while provision("plan").stdout.find("no drift") < 0:
        assert time.monotonic() < limit, on("node1", f"systemctl status --no-pager {UNITS}", check=False)
        time.sleep(5)
    good(provision("check"))


def test_09_status_and_report_tell_the_same() -> None:
    status = answer("status")
    assert list(status["hosts"]) == list(HOSTS)
    for host in HOSTS:
        found, want = status["hosts"][host], wanted(host)
        assert found["driver"] == want["npu_driver"]["version"]
        assert found["firmware"] == want["npu_firmware"]["version"]
        assert found["npus_healthy"] == found["npus_wanted"] == want["npu_driver"]["expected_count"]
        assert (found["reboot_pending"], found["drift"], found["not_understood"]) == (False, 0, [])
        members = [f"{member['name']} (ray)" for member in want["ray_cluster"]["members"]]
        services = [service["name"] for service in want.get("inference_service", {}).get("services", [])]
        states = {service["name"]: service["state"] for service in found["services"]}
        assert states == dict.fromkeys([*members, *services], "ok")
    assert "tiny-qwen2" in next(s["detail"] for s in status["hosts"]["node1"]["services"] if s["name"] == "chat")
    good(provision("check"))
    run = newest_run("check")
    report = answer("report")
    assert (report["run"], report["verdict"], report["check"]["good"]) == (run.name, "ok", True)
    assert {host: entry["state"] for host, entry in report["hosts"].items()} == dict.fromkeys(HOSTS, "ok")
    assert f"{run.name}/report.html" in good(provision("report"))


def test_10_rebuild_ends_with_a_served_token_and_large_files_leave_their_sources_once() -> None:
    log, line = "/var/log/nginx/mirror.log", f'"GET /{archive.FILE} '
    before = inside("services", f"cat {log}").count(line)
    output = good(provision("rebuild", "--yes", timeout=25 * MINUTE))
    assert "tiny test model" in output
    assert inside("services", f"cat {log}").count(line) - before == 1
    ids = {on(host, f"docker image inspect --format '{{{{.Id}}}}' {archive.NAME}") for host in HOSTS}
    assert len(ids) == 1
    assert answer("plan")["drift"] is False


def test_11_a_purge_takes_services_containers_images_and_models_away() -> None:
    done = provision("down", "--purge", "--models", "--yes")
    assert "firmware, driver" in good(done)
    left = {
        "docker ps -aq": "",
        "docker images -q": "",
        "ls -d /data/models/*-qwen2 /usr/local/Ascend /var/lib/provision /var/cache/provision 2>/dev/null": "",
        "ls /etc/systemd/system | grep -i -e provision -e ascend": "",
        "systemctl list-units --all --no-legend 'provision-*'": "",
        "grep -i -e ascend -e 10.77 /etc/docker/daemon.json": "",
    }
    for host in HOSTS:
        assert {command: on(host, command, check=False) for command in left} == left
