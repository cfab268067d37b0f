"""SSH keys of the simulated site: one for the operator, one per server, and the list of known servers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.lab.site.command import output
from tests.lab.site.layout import Host, Layout


def ensure(layout: Layout) -> str:
    """Return the operator's public key; make the pair when it is missing."""
    layout.ssh.mkdir(parents=True, exist_ok=True, mode=0o700)
    _pair(layout.identity, "provision-lab")
    return layout.identity.with_suffix(".pub").read_text(encoding="ascii")


def host_key(layout: Layout, node: Host) -> Path:
    """Return the private host key of *node*.

    It outlives the container, so that a server that was reset is still the one in known_hosts.
    """
    folder = layout.ssh / "hosts" / node.name
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _pair(folder / "ssh_host_ed25519_key", node.name)


def write_known_hosts(layout: Layout, nodes: Sequence[Host]) -> Path:
    """Write a known_hosts file with exactly *nodes*, by name and by address."""
    lines = []
    for node in nodes:
        kind, key = public_half(host_key(layout, node)).read_text(encoding="ascii").split()[:2]
        lines.append(f"{node.name},{node.address} {kind} {key}\n")
    draft = layout.known_hosts.with_suffix(".new")
    draft.write_text("".join(lines), encoding="ascii")
    return draft.replace(layout.known_hosts)


def public_half(private: Path) -> Path:
    """Return where the public half of key *private* lies."""
    return private.with_name(private.name + ".pub")


def _pair(private: Path, comment: str) -> Path:
    # The public half is written last: without it, an earlier run was cut short.
    if not public_half(private).exists():
        private.unlink(missing_ok=True)
        output(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", private])
    return private
