"""What a Docker Engine leaves in the machine's packet filter, and taking it out again."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from pathlib import Path

from tests.lab.site.command import output
from tests.lab.site.errors import LabError

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def remember(target: Path) -> None:
    """Write the machine's forwarding policy to *target*, unless an earlier start that was cut short has done so."""
    if not target.exists():
        target.write_text(f"{_policy()} {FORWARDING.read_text(encoding='ascii').strip()}\n", encoding="ascii")


def forget(target: Path) -> None:
    """Remove Docker's chains and give the forwarding policy back that `remember` has written to *target*.

    Nothing is touched while another engine runs: its rules stand in the same chains.
    """
    if _engine_runs():
        return
    for table in ("nat", "filter"):
        for rule in removal(output(["iptables", "-t", table, "-S"])):
            output(["iptables", "-t", table, *rule])
    if target.exists():
        policy, forwarding = target.read_text(encoding="ascii").split()
        output(["iptables", "-P", "FORWARD", policy])
        FORWARDING.write_text(forwarding, encoding="ascii")
        target.unlink()


def removal(rules: str) -> list[list[str]]:
    """Return the iptables arguments that undo Docker's part of *rules* (output of `iptables -S`)."""
    chains = re.findall(r"^-N (DOCKER\S*)$", rules, re.MULTILINE)
    ours = [line for line in rules.splitlines() if line.startswith("-A ") and _belongs(line)]
    return (
        [["-D", *shlex.split(line)[1:]] for line in ours if not line.startswith("-A DOCKER")]
        + [["-F", chain] for chain in chains]
        + [["-X", chain] for chain in chains]
    )


def _belongs(line: str) -> bool:
    return bool(re.search(r"-j DOCKER|[io] plab|-A DOCKER|-s 10\.77\.", line))


def _engine_runs() -> bool:
    """Return whether a Docker Engine works in this network; those inside simulated servers have their own."""
    network = Path("/proc/self/ns/net").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # No program name: it has ended and waits to be collected.
            program = os.fsdecode((process / "cmdline").read_bytes().split(b"\0")[0])
            if Path(program).name == "dockerd" and (process / "ns/net").readlink() == network:
                return True
    return False


def _policy() -> str:
    found = re.search(r"^-P FORWARD (\w+)$", output(["iptables", "-S", "FORWARD"]), re.MULTILINE)
    if found is None:
        raise LabError("iptables -S FORWARD shows no policy; the simulated site needs a working packet filter")
    return found.group(1)
