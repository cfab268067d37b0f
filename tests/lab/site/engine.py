"""The Docker Engine of the simulated site: one that already runs, or one of our own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException

from tests.lab.site import firewall
from tests.lab.site.command import SEARCH_PATH, output, require, run, tool
from tests.lab.site.errors import LabError
from tests.lab.site.layout import SUBNET, Layout
from tests.lab.site.runtime import RUNTIME_NAME, install_runtime, needs_narrow_runtime

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
DEFAULT_BRIDGE = "plab-default"
DEFAULT_BRIDGE_ADDRESS = "10.77.255.1/24"
START_SECONDS = 60
START_ATTEMPTS = 3
STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker Engine that answers; *ours* tells whether the lab started it and may stop it."""

    url: str
    ours: bool
    client: docker.DockerClient

    @property
    def version(self) -> str:
        return str(self.client.version()["Version"])


def find(layout: Layout) -> Engine | None:
    """Return the engine that the site runs on, or None when none answers.

    Our own comes first, so that a site stays where it was made when a second engine appears.
    """
    own = _connect(_own_url(layout)) if _socket(layout).exists() else None
    if own is not None:
        return Engine(_own_url(layout), True, own)
    url = os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET
    client = _connect(url)
    return Engine(url, False, client) if client is not None else None


def ensure(layout: Layout) -> Engine:
    """Return the engine that answers; start our own when none does.

    Raises:
        MissingToolError: dockerd is not installed.
        LabError: dockerd does not come up; the text has the end of its log.
    """
    found = find(layout)
    if found is not None:
        return found
    require("dockerd", "iptables", "ip")
    layout.engine.mkdir(parents=True, exist_ok=True)
    (layout.engine / "daemon.json").write_text(json.dumps(_daemon_settings(layout), indent=2), encoding="utf-8")
    if was_killed(layout):
        # dockerd would not start while any process has the number in it.
        _pid_file(layout).unlink()
    firewall.remember(layout.engine / "forward-policy")
    _make_bridge(layout)
    for _ in range(START_ATTEMPTS):
        process = _start(layout)
        client = _wait(layout, process)
        if client is not None:
            return Engine(_own_url(layout), True, client)
    log = layout.engine / "dockerd.log"
    raise LabError(
        f"dockerd, started {START_ATTEMPTS} times, does not answer on {_own_url(layout)}; the end of its log ({log}):\n"
        + "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
    )


def was_killed(layout: Layout) -> bool:
    """Return whether our engine ended without cleaning up; its containers may still run then."""
    return _pid_file(layout).exists() and _own_pid(layout) is None


def _start(layout: Layout) -> subprocess.Popen[bytes]:
    with (layout.engine / "dockerd.log").open("wb") as log:
        return subprocess.Popen(
            [tool("dockerd"), "--config-file", str(layout.engine / "daemon.json")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{SEARCH_PATH}"},
        )


def _wait(layout: Layout, process: subprocess.Popen[bytes]) -> docker.DockerClient | None:
    """Return a client once *process* answers; None when it has ended or kept silent for START_SECONDS.

    It ends by itself when its containerd takes longer than 15 s to start, which happens on a busy machine.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        client = _connect(_own_url(layout))
        if client is not None:
            return client
        time.sleep(0.2)
    _end(process.pid)
    return None


def stop(layout: Layout) -> bool:
    """Stop our own engine, if it runs, and take its traces off the machine; return whether one ran."""
    pid = _own_pid(layout)
    if pid is not None:
        _end(pid)
    if Path("/sys/class/net", DEFAULT_BRIDGE).exists():
        run(["ip", "link", "delete", DEFAULT_BRIDGE], log=layout.logs / "engine.log")
    if pid is not None:
        firewall.forget(layout.engine / "forward-policy")
    return pid is not None


def _own_pid(layout: Layout) -> int | None:
    """Return the process id of our dockerd; None when the pid file is stale or names another program."""
    try:
        pid = int(_pid_file(layout).read_text(encoding="ascii"))
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if str(layout.engine / "daemon.json").encode() in words else None


def _end(pid: int) -> None:
    """Ask process *pid* to end and wait for it; kill it when it does not."""
    deadline = time.monotonic() + STOP_SECONDS
    try:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            if Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z":
                return
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        return


def _daemon_settings(layout: Layout) -> dict[str, object]:
    settings: dict[str, object] = {
        "hosts": [_own_url(layout)],
        "data-root": str(layout.engine / "data"),
        "exec-root": str(layout.engine / "exec"),
        "pidfile": str(_pid_file(layout)),
        "bridge": DEFAULT_BRIDGE,
        "group": "root",
        "insecure-registries": [str(SUBNET)],
        "log-opts": {"max-size": "1m"},
    }
    if needs_narrow_runtime():
        program = install_runtime(layout.engine / "narrow-runtime")
        settings |= {"runtimes": {RUNTIME_NAME: {"path": str(program)}}, "default-runtime": RUNTIME_NAME}
    return settings


def _make_bridge(layout: Layout) -> None:
    """Give our engine a default bridge of its own name, so that docker0 stays free for the machine's owner."""
    if DEFAULT_BRIDGE in output(["ip", "-o", "link", "show", "type", "bridge"]):
        return
    log = layout.logs / "engine.log"
    run(["ip", "link", "add", DEFAULT_BRIDGE, "type", "bridge"], log=log)
    run(["ip", "address", "add", DEFAULT_BRIDGE_ADDRESS, "dev", DEFAULT_BRIDGE], log=log)
    run(["ip", "link", "set", DEFAULT_BRIDGE, "up"], log=log)


def _pid_file(layout: Layout) -> Path:
    return layout.engine / "docker.pid"


def _socket(layout: Layout) -> Path:
    return layout.engine / "docker.sock"


def _own_url(layout: Layout) -> str:
    return f"unix://{_socket(layout)}"


def _connect(url: str) -> docker.DockerClient | None:
    try:
        client = docker.DockerClient(base_url=url, version="auto", timeout=600)
        client.ping()
    except (DockerException, OSError):
        return None
    return client
