"""Commands on many hosts at once through the site's own ssh configuration."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from driver.paths import control_dir

LOG = logging.getLogger(__name__)
CONNECT_SECONDS = 10
WORKERS = 100
SSH_FAILED = 255  # ssh's own code; a remote command may use it too, its stderr decides


@dataclass(frozen=True, slots=True)
class Job:
    """One command for one host: what the remote shell gets, and what is fed to it.

    A guest uses the shared connection of the host when it is open, but neither opens nor mends it: somebody else is
    working over it.
    """

    remote: tuple[str, ...]
    stdin: bytes = b""
    guest: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from one host; `code` is None when the time limit ended it."""

    host: str
    code: int | None
    out: str
    err: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HostFault:
    """Why a host could not be used: a kind to count by, what was found and what to do about it."""

    host: str
    kind: str
    found: str
    advice: str

    def __str__(self) -> str:
        """Return the fault as one line."""
        return f"{self.host}: {self.found}. {self.advice}"


def argv(config: Path, host: str, *remote: str) -> list[str]:
    """Return the command line that runs *remote* on *host* and never asks anything."""
    options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}"]
    return ["ssh", "-F", str(config), *options, host, *remote]


def fan_out(
    config: Path, jobs: Mapping[str, Job], limit_seconds: float, done: Callable[[Answer], None] | None = None
) -> dict[str, Answer]:
    """Run every job at the same time (at most WORKERS) and return the answers by host."""
    control_dir()
    return asyncio.run(_fan_out(config, jobs, limit_seconds, done))


async def _fan_out(
    config: Path, jobs: Mapping[str, Job], limit_seconds: float, done: Callable[[Answer], None] | None
) -> dict[str, Answer]:
    gate = asyncio.Semaphore(WORKERS)

    async def one(host: str, job: Job) -> Answer:
        async with gate:
            answer = await _run(config, host, job, limit_seconds)
            if _connection_died(answer) and not job.guest:
                # the master connection of a host that was rebooted or moved: close it and connect afresh
                await _run(config, host, Job(("-O", "exit")), CONNECT_SECONDS)
                answer = await _run(config, host, job, limit_seconds)
        if done:
            done(answer)
        return answer

    answers = await asyncio.gather(*(one(host, job) for host, job in jobs.items()))
    return {answer.host: answer for answer in answers}


async def _run(config: Path, host: str, job: Job, limit_seconds: float) -> Answer:
    began = time.monotonic()
    line = argv(config, host, *job.remote)
    if job.guest:
        line[1:1] = ["-o", "ControlMaster=no"]
    if job.remote[0] == "-O":  # a word to the master connection stands before the host
        line = ["ssh", "-F", str(config), *job.remote, host]
    process = await asyncio.create_subprocess_exec(
        *line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(job.stdin), limit_seconds)
        code = process.returncode
    except TimeoutError:
        process.kill()
        await process.wait()
        code, out, err = None, b"", b""
    seconds = time.monotonic() - began
    LOG.debug("%s: %s after %.2f s", host, "time limit" if code is None else f"exit {code}", seconds)
    return Answer(host, code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), seconds)


def _connection_died(answer: Answer) -> bool:
    words = (
        "mux_client",
        "Connection reset by peer",
        "Broken pipe",
        "Control socket connect",
        "Connection closed by UNKNOWN",
    )
    return answer.code == SSH_FAILED and any(word in answer.err for word in words)


ASKING = (
    "Give the login user passwordless sudo (NOPASSWD), or name its password as connection.become_password in site.yml"
)
# first match wins: what ssh, sudo or the remote shell says -> kind, advice
FAULTS: tuple[tuple[str, str, str], ...] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "host key changed",
        "Compare the key with the host's own; if the host was set up again, remove the old one with `ssh-keygen -R`",
    ),
    (
        "Host key verification failed",
        "host key unknown",
        "Add the host's key to connection.known_hosts of site.yml when you have checked it; provision never does that",
    ),
    ("Permission denied (", "login refused", "Check connection.user and connection.identity_file in site.yml"),
    ("incorrect password attempt", "sudo refuses the password", "Correct what connection.become_password names"),
    ("no password was provided", "sudo refuses the password", "Correct what connection.become_password names"),
    ("a password is required", "sudo asks for a password", ASKING),
    ("a terminal is required", "sudo asks for a password", ASKING),
    ("is not in the sudoers file", "no sudo", "Give the login user passwordless sudo (NOPASSWD)"),
    ("sudo: not found", "no sudo", "Install sudo on the host"),
    ("sudo: command not found", "no sudo", "Install sudo on the host"),
    (
        "future feature annotations is not defined",
        "Python too old",
        "Name a Python of the host from 3.7 on in site.yml (connection.python)",
    ),
    ("Could not resolve hostname", "name unknown", "Correct hosts[].address in site.yml"),
    ("Connection refused", "connection refused", "Check that sshd runs there and that connection.port is right"),
    ("Connection timed out", "no answer", "Check that the host is up and that hosts[].address is right"),
    ("No route to host", "no route", "Check that the host is up and that hosts[].address is right"),
    ("Network is unreachable", "no route", "Check this machine's network and hosts[].address"),
)


def fault(answer: Answer, limit_seconds: float, python: str) -> HostFault | None:
    """Return why *answer* is no answer, None when its command ended well."""
    if answer.code == 0:
        return None
    if answer.code is None:
        found = f"no answer within {limit_seconds:.0f} s"
        return HostFault(answer.host, "time limit", found, f"Log in with ssh and look what `{python}` is waiting for")
    last = _last_line(answer.err) or _last_line(answer.out)
    for words, kind, advice in FAULTS:
        if words in answer.err:
            return HostFault(answer.host, kind, f"{kind}: {_line_with(answer.err, words)}", advice)
    if (
        answer.code in {126, 127}
        or f"{python}: No such file" in answer.err
        or f"{python}: command not found" in answer.err
    ):
        advice = f"Install Python 3 on the host, or set connection.python in site.yml (now {python})"
        return HostFault(answer.host, "no python", f"no usable Python: {last}", advice)
    if answer.code == SSH_FAILED:
        return HostFault(
            answer.host,
            "ssh failed",
            f"ssh failed: {last}",
            "Try the same by hand with `ssh -F` and the rendered ssh_config",
        )
    found = f"the command ended with code {answer.code}: {last}"
    return HostFault(answer.host, "failed", found, "Run the same verb with -v to see the whole output")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _line_with(text: str, words: str) -> str:
    line = next(line for line in text.splitlines() if words in line)
    return line.strip(" @\r").removeprefix("WARNING: ")[:300]
