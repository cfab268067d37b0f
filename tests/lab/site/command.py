"""Runs programs of this machine: output to a log file, the end of it in the error."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.site.errors import LabError, MissingToolError

PACKAGES = {
    "dockerd": "docker.io",
    "debootstrap": "debootstrap",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
    "iptables": "iptables",
    "gpg": "gnupg",
    "gpgconf": "gnupg",
    "chroot": "coreutils",
    "containerd-shim-runc-v2": "containerd",
    "createrepo_c": "createrepo-c",
    "ldd": "libc-bin",
    "runc": "runc",
    "dpkg": "dpkg",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-system-x86_64": "qemu-system-x86",
    "rpmbuild": "rpm",
    "rpmsign": "rpm",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "tar": "tar",
}
"""Programs that the lab calls -> Debian package that brings each."""

SEARCH_PATH = os.pathsep.join(["/usr/local/sbin", "/usr/sbin", "/sbin"])


def tool(name: str) -> str:
    """Return the full path of program *name*.

    Raises:
        MissingToolError: it is not installed; the text names the package.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{SEARCH_PATH}")
    if found is None:
        raise MissingToolError(
            f"program {name} was not found; the simulated site needs it: "
            f"apt-get install --no-install-recommends {PACKAGES.get(name, name)}"
        )
    return found


def require(*names: str) -> None:
    """Check that all programs are there, and name every missing package at once.

    Raises:
        MissingToolError: at least one is missing.
    """
    missing = {}
    for name in names:
        try:
            tool(name)
        except MissingToolError:
            missing[name] = PACKAGES.get(name, name)
    if missing:
        raise MissingToolError(
            f"programs not found: {', '.join(missing)}; the simulated site needs them: "
            f"apt-get install --no-install-recommends {' '.join(sorted(set(missing.values())))}"
        )


def run(
    argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run *argv* to its end, with its output appended to *log*; it does not outlive this process, even a killed one.

    Raises:
        LabError: it ended with another code than 0; the text has the last lines of its output.
    """
    words = [tool(str(argv[0])), *map(str, argv[1:])]
    guarded = [tool("setpriv"), "--pdeathsig", "KILL", *words]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        begin = sink.tell()
        done = subprocess.run(
            guarded,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=_environment(env),
            cwd=cwd,
            check=False,
        )
    if done.returncode != 0:
        raise LabError(f"{' '.join(words)} ended with code {done.returncode}:\n{_tail(log, begin)}\n(all of it: {log})")


def output(argv: Sequence[str | Path]) -> str:
    """Run a short *argv* and return its standard output.

    Raises:
        LabError: it ended with another code than 0.
    """
    words = [tool(str(argv[0])), *map(str, argv[1:])]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=_environment(None), check=False
    )
    if done.returncode != 0:
        raise LabError(f"{' '.join(words)} ended with code {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def stop_children() -> None:
    """Ask every program that this process has started to end; one with a session of its own (our engine) stays."""
    session = os.getsid(0)
    for pid in descendants(os.getpid(), _parents()):
        try:
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue


def descendants(root: int, parents: Mapping[int, int]) -> list[int]:
    """Return the processes below *root*, nearest first; *parents* maps a process id to that of its parent."""
    found: list[int] = []
    level = {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found += sorted(level)
    return found


def _parents() -> dict[int, int]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, UnicodeDecodeError):
            continue
    return found


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    env = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **(extra or {})}
    env["PATH"] = f"{env.get('PATH', os.defpath)}{os.pathsep}{SEARCH_PATH}"
    return env


def _tail(log: Path, begin: int, lines: int = 15) -> str:
    with log.open("rb") as source:
        source.seek(begin)
        return "\n".join(source.read().decode("utf-8", "replace").splitlines()[-lines:])
