"""A world of a few hosts for one command, gone with it: `unshare … python spaces.py FOLDER HOSTS ROOT COMMAND…`.

Each host is a network namespace 10.199.0.1N with /run/provision, /var/log/provision and /data of its own, which stay in
FOLDER/nN; FOLDER/python-nN runs Python there. 10.199.0.1:8099 serves the models below ROOT, unless ROOT is "-".
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

WIRE = "wire"
OWN = {"run": "/run/provision", "log": "/var/log/provision", "data": "/data"}


def run(*words: str) -> None:
    subprocess.run(words, check=True)


def lay(hosts: int) -> None:
    """Make the bridge, in a namespace of its own: the rules of this machine are not for it."""
    run("mount", "-t", "tmpfs", "none", "/run")  # namespaces of others are not seen, and ours not by them
    run("ip", "netns", "add", WIRE)
    run("ip", "-n", WIRE, "link", "add", "bridge", "type", "bridge")
    run("ip", "-n", WIRE, "addr", "add", "10.199.0.1/24", "dev", "bridge")
    run("ip", "-n", WIRE, "link", "set", "bridge", "up")
    run("ip", "-n", WIRE, "link", "set", "lo", "up")
    for number in range(1, hosts + 1):
        name = f"n{number}"
        run("ip", "netns", "add", name)
        run("ip", "link", "add", name, "netns", WIRE, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "-n", WIRE, "link", "set", name, "master", "bridge", "up")
        run("ip", "-n", name, "addr", "add", f"10.199.0.1{number}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")


def dress(folder: Path, name: str) -> None:
    """Write the program that runs Python on the host *name*."""
    binds = []
    for part, place in OWN.items():
        (folder / name / part).mkdir(parents=True, exist_ok=True)
        binds.append(f"mkdir -p {place} && mount --bind {folder / name / part} {place}")
    script = " && ".join(["mount -t tmpfs none /run", *binds, f'exec {sys.executable} "$@"'])
    wrapper = folder / f"python-{name}"
    wrapper.write_text(
        f"#!/bin/sh\nexec ip netns exec {name} unshare -m sh -c '{script}' sh \"$@\"\n", encoding="utf-8"
    )
    wrapper.chmod(0o755)


def serve(root: str) -> None:
    """Serve the models, and wait until that works."""
    hub = [sys.executable, "-m", "tests.lab.serving.hub", "--root", root, "--address", "10.199.0.1", "--port", "8099"]
    subprocess.Popen(["ip", "netns", "exec", WIRE, *hub], stderr=subprocess.DEVNULL)
    ask = "import socket; socket.create_connection(('10.199.0.1', 8099), 1)"
    for _ in range(50):
        asked = ["ip", "netns", "exec", WIRE, sys.executable, "-c", ask]
        if subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
        time.sleep(0.2)
    raise SystemExit("the hub does not answer")


def main(words: list[str]) -> int:
    folder, hosts, root, *command = words
    lay(int(hosts))
    for number in range(1, int(hosts) + 1):
        dress(Path(folder), f"n{number}")
    if root != "-":
        serve(root)
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
