"""A throwaway host in private namespaces, and the built packages in it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.vendor import build

SETUP = Path(__file__).with_name("sandbox.sh")
START_SECONDS = 20
CHIPS_910B = ("0xd802", "0x19e5", "0x3004", "8")
"""What is on the bus: device, subsystem vendor, subsystem device, how many."""
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/tools"


@dataclass(frozen=True)
class Sandbox:
    """A host whose files, processes and devices are its own; *pid* is its first process."""

    pid: int

    def run(self, script: str, stdin: str = "", timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Run *script* with bash inside; never raises for its exit code."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--root", "--wd"]
        shell = ["env", "-i", f"PATH={PATHS}", "bash", "-c", f"cd /packages; {script}"]
        return subprocess.run(
            [*enter, *shell], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )

    def ok(self, script: str, **options: float) -> str:
        """Run *script*, which has to end with code 0; return its output."""
        done = self.run(script, **options)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def reboot(self) -> None:
        """Do what a reboot does: empty /run, /dev and /tmp, then the boot unit."""
        # A process that outlived the last boot would be there twice.
        self.run("pkill -f boot/hccn_peer")
        self.ok("rm -rf /run/* /tmp/* /dev/davinci* /dev/devmm_svm /dev/hisi_hdc")
        self.run("/usr/local/Ascend/driver/boot/host_sys_init start")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every package, built once."""
    folder = tmp_path_factory.mktemp("packages")
    build(folder)
    return folder


@contextmanager
def started(folder: Path, packages: Path, bus: tuple[str, ...] = CHIPS_910B) -> Iterator[Sandbox]:
    """Start a host in *folder*; it ends with all its processes and files."""
    if os.geteuid() != 0:
        pytest.fail(
            "the installers are run in private namespaces with an overlay over /, which needs root: run as root"
        )
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private"]
    with subprocess.Popen(
        [*command, "bash", str(SETUP), str(folder), str(packages), *bus], stderr=subprocess.PIPE, text=True
    ) as outer:
        try:
            yield Sandbox(first_process(outer))
        finally:
            outer.kill()


@pytest.fixture
def box(packages: Path, tmp_path: Path) -> Iterator[Sandbox]:
    """A fresh host of this test's own."""
    with started(tmp_path, packages) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def bare(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A bare host for tests in which nothing gets installed."""
    with started(tmp_path_factory.mktemp("bare"), packages) as sandbox:
        yield sandbox


def first_process(outer: subprocess.Popen[str]) -> int:
    """Wait until the sandbox has become its last program; return that process as seen from here."""
    deadline = time.monotonic() + START_SECONDS
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    while time.monotonic() < deadline:
        if outer.poll() is not None:
            pytest.fail(f"no sandbox: {outer.stderr.read() if outer.stderr else ''}")
        for child in children.read_text(encoding="ascii").split():
            if Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip() == "sleep":
                return int(child)
        time.sleep(0.02)
    pytest.fail(f"no sandbox after {START_SECONDS} s")
