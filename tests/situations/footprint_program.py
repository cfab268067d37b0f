"""Runs on a host through its Python: `take NAME` remembers files, packages, boot; `compare NAME` prints what differs.

Standard library of Python 3.7. What it remembers lies in /var/tmp, which is not looked at itself and outlives a reboot.
"""

# A hundred thousand files are looked at, and pathlib would make an object of each.
# ruff: noqa: PTH112, PTH115, PTH118, PTH119, PTH120, PTH123, PTH208

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from typing import Any

NOT_LOOKED_AT = {
    "/proc",
    "/sys",
    "/run",
    "/tmp",
    "/var/log",
    "/var/lib/docker",
    "/var/lib/containerd",  # the engine's own store, beside /var/lib/docker
    "/dev/pts",
    "/dev/shm",
    "/dev/mqueue",
    "/var/lib/systemd/timers",  # systemd's own clock: timers fire whenever they like
    "/var/lib/private",
    "/var/cache/dnf",  # dnf writes there even when it is only asked, and with --cacheonly
    "/var/tmp",
}
NOT_COMPARED = {"/var/lib/rpm/rpmdb.sqlite-shm"}
"""Memory that readers of rpm's database share: asking what is installed touches it."""
WRITTEN_AT_BOOT = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}
"""Of a host that is a container: its engine writes them at each start, so only what they say counts."""
SMALL = 65536
HASHED = ("/etc/", "/home/", "/root/", "/opt/", "/usr/local/", "/var/lib/provision", "/var/cache/provision")
MEMORY = "/var/tmp"
PACKAGES = (["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\\n"], ["rpm", "-qa"])
FILES = (["rpm", "-qal"],)


def files() -> dict[str, list[str]]:
    """Return for each path what must not change: kind and mode, owner, size, time of change, digest of small ones."""
    found: dict[str, list[str]] = {}
    for folder, names, others in os.walk("/"):
        names[:] = [name for name in names if os.path.join(folder, name) not in NOT_LOOKED_AT]
        for name in names + others:
            path = os.path.join(folder, name)
            if path in NOT_COMPARED:
                continue
            try:
                found[path] = describe(path, os.lstat(path))
            except OSError:
                continue
    return found


def describe(path: str, state: os.stat_result) -> list[str]:
    """Return the marks of one file; of a folder no times, which only say that something in it came or went."""
    marks = [oct(state.st_mode), f"{state.st_uid}:{state.st_gid}"]
    if stat.S_ISREG(state.st_mode):
        marks += [str(state.st_size), "" if path in WRITTEN_AT_BOOT else str(state.st_mtime_ns)]
        if state.st_size < SMALL and path.startswith(HASHED):
            with open(path, "rb") as source:
                marks.append(hashlib.sha256(source.read()).hexdigest()[:16])
    elif stat.S_ISLNK(state.st_mode):
        marks.append(os.readlink(path))
    elif stat.S_ISCHR(state.st_mode) or stat.S_ISBLK(state.st_mode):
        marks.append(str(state.st_rdev))
    return marks


def packages() -> str:
    """Return the installed packages with version and state, or an empty text where neither manager is."""
    for command in PACKAGES:
        try:
            return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
        except OSError:
            continue
    return ""


def snapshot() -> dict[str, Any]:
    """Return everything that is compared."""
    with open("/proc/1/stat", encoding="ascii") as source:
        boot = source.read().rpartition(")")[2].split()[19]
    return {"files": files(), "packages": packages().splitlines(), "boot": boot}


def packaged() -> set[str]:
    """Return the files that came with packages, under the names that they have where /bin is /usr/bin."""
    found: set[str] = set()
    folder = "/var/lib/dpkg/info"
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if name.endswith(".list"):
            with open(os.path.join(folder, name), encoding="utf-8") as source:
                found.update(source.read().splitlines())
    for command in FILES:
        try:
            listed = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
        except (OSError, subprocess.CalledProcessError):
            continue
        found.update(listed.splitlines())
    real = {os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)) for path in found}
    above = real
    while above - {"/", ""}:  # not every package owns the folders that it brings
        above = {os.path.dirname(path) for path in above}
        real |= above
    return real


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return a line for each difference."""
    lines = []
    owned = packaged() if before["packages"] != now["packages"] else set()
    for path in sorted(set(before["files"]) | set(now["files"])):
        old, new = before["files"].get(path), now["files"].get(path)
        whose = " (package)" if path in owned else ""
        if old is None:
            lines.append(f"new{whose}: {path}")
        elif new is None:
            lines.append(f"gone: {path}")
        elif old != new:
            lines.append(f"changed{whose}: {path} {' '.join(old)} -> {' '.join(new)}")
    was, are = set(before["packages"]), set(now["packages"])
    lines += [f"package before: {line}" for line in sorted(was - are)]
    lines += [f"package now: {line}" for line in sorted(are - was)]
    if before["boot"] != now["boot"]:
        lines.append("rebooted")
    return lines


def main(verb: str, name: str) -> None:
    """Take, or compare and print."""
    path = os.path.join(MEMORY, f"footprint-{name}.json")
    if verb == "take":
        with open(path, "w", encoding="utf-8") as target:
            json.dump(snapshot(), target)
        return
    with open(path, encoding="utf-8") as source:
        before = json.load(source)
    sys.stdout.write("".join(line + "\n" for line in differences(before, snapshot())))


main(*sys.argv[1:])
