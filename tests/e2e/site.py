"""The simulated site as the end-to-end tests use it: the command line, and a shell on each host."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.site import engine
from tests.lab.site.layout import default_layout

ROOT = Path(__file__).resolve().parents[2]
RENDERED = ROOT / "inventories/lab/rendered"
SSH = ("ssh", "-F", str(RENDERED / "ssh_config"), "-o", "BatchMode=yes")
HOSTS = ("node1", "node2")
MINUTE = 60.0


def provision(
    *words: str, timeout: float = 15 * MINUTE, inventory: str | Path = "lab"
) -> subprocess.CompletedProcess[str]:
    """Run one verb as a person would, without a terminal; return what it printed and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "driver", "--inventory", str(inventory), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def answer(*words: str, code: int = 0, **settings: Any) -> Any:
    """Run one verb with --json and return its document; the exit code has to be *code*."""
    done = provision(*words, "--json", **settings)
    assert done.returncode == code, (
        f"exit code {done.returncode}, expected {code}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    )
    return json.loads(done.stdout)


def on(host: str, command: str, *, check: bool = True) -> str:
    """Run a shell line as root on *host* through the site's own SSH settings and return its output."""
    done = subprocess.run(
        [*SSH, host, "sudo", "-n", "sh", "-c", shlex.quote(command)],
        capture_output=True,
        text=True,
        timeout=2 * MINUTE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0 or not check, f"{host}: {command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def inside(machine: str, command: str, *, check: bool = True) -> str:
    """Run a shell line as root inside of a *machine* of the lab, past SSH: the service host has none."""
    found = engine.find(default_layout())
    assert found is not None, "no container engine answers: run `provision lab up` first"
    done = subprocess.run(
        ["docker", "--host", found.url, "exec", "-i", f"provision-lab-{machine}", "sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=2 * MINUTE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0 or not check, f"{machine}: {command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def wanted(host: str) -> dict[str, Any]:
    """Return what the rendered inventory wants of *host*, by role."""
    document: dict[str, Any] = json.loads((RENDERED / "wanted" / f"{host}.json").read_text(encoding="utf-8"))
    return document


def good(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a run that has to have ended well."""
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


FILES = (
    "/etc/docker/daemon.json",
    "/usr/local/Ascend/driver/version.info",
    "/usr/local/Ascend/firmware/version.info",
    "/etc/ascend_install.info",
)
UNITS = "docker.service provision-ray-chat.service provision-chat.service"


def witnesses(host: str) -> dict[str, str]:
    """Return what tells whether something on *host* was touched: starts of daemons, containers, files' times."""
    starts = on(host, f"systemctl show {UNITS} -p Id -p ActiveEnterTimestampMonotonic --value", check=False).split()
    found = {"units": " ".join(starts), "boot": on(host, "cut -d\\  -f22 /proc/1/stat")}
    files = " ".join(FILES)
    for line in on(host, f'stat -c "%n %Y %i" {files} /data/models/tiny-qwen2/*.safetensors', check=False).splitlines():
        name, state = line.split(" ", 1)
        found[name] = state
    return found
