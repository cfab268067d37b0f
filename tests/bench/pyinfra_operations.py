"""Thirty pyinfra operations that change nothing on a converged host: the peer of the benchmark.

Run by ``pyinfra <inventory> tests/bench/pyinfra_operations.py``; every operation states what already holds, so that
a run is nothing but looking. The mix is that of a host role set: packages, files, directories, users, units, lines.
"""

from __future__ import annotations

from pyinfra.operations import apt, files, server, systemd

for path in (
    "/usr/local/Ascend",
    "/usr/local/Ascend/driver",
    "/usr/local/Ascend/firmware",
    "/etc/docker",
    "/var/log",
    "/etc/systemd/system",
):
    files.directory(name=f"Directory {path}", path=path, present=True)

for path in (
    "/etc/ascend_install.info",
    "/usr/local/Ascend/driver/version.info",
    "/usr/local/Ascend/firmware/version.info",
    "/etc/docker/daemon.json",
    "/usr/local/bin/npu-smi",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/passwd",
    "/etc/debian_version",
    "/usr/bin/dockerd",
):
    files.file(name=f"File {path}", path=path, present=True)

for line in ("root:x:0:0:.*", "daemon:x:1:1:.*", "sync:x:4:.*"):
    files.line(name=f"Line {line}", path="/etc/passwd", line=line, present=True)

server.group(name="Group HwHiAiUser", group="HwHiAiUser")
server.user(name="User HwHiAiUser", user="HwHiAiUser", shell="/bin/bash")  # noqa: S604 - the login shell

for unit in ("docker.service", "ssh.service", "dbus.service"):
    systemd.service(name=f"Unit {unit}", service=unit, running=True)

for package in ("docker.io", "gcc", "make", "dkms", "pciutils", "net-tools"):
    apt.packages(name=f"Package {package}", packages=[package], present=True)
