"""Which kernel packages a host has, and whether its package manager would exchange them behind our back."""

from __future__ import annotations

import json

from . import commands, files, rpm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

# Images, headers, modules, and the packages without content that pull in the next version of each.
APT_PATTERNS = ("linux-image-*", "linux-headers-*", "linux-modules-*", "linux-generic*", "linux-virtual*")
RPM_PATTERN = "kernel*"
# Which packages, or patterns, were held by provision and by nobody else.
MARK = "/var/lib/provision/kernel-hold.json"
QUERY_SECONDS = 20.0
COLUMNS = 3


def unknown() -> Facts:
    """Return the facts of a host where nobody can be asked."""
    return {"packages": {}, "excluded": [], "file": "", "own": []}


def observe(manager: str | None) -> Facts:
    """Return {packages, excluded, file, own}; own are the names that provision holds.

    packages are apt's kernel packages with whether each is held; excluded is what dnf or yum leave out by their file.
    """
    own = held_here()
    if manager == "apt":
        shape = "${Package}\t${db:Status-Want}\t${db:Status-Status}\n"
        _, output = commands.run(["dpkg-query", "--show", "--showformat", shape, *APT_PATTERNS], QUERY_SECONDS)
        return dict(unknown(), packages=parse(output), own=own)
    if manager in {"dnf", "yum"}:
        return dict(unknown(), excluded=rpm.excluded(), file=rpm.main_file() or "", own=own)
    return dict(unknown(), own=own)


def held_here(root: str = "") -> list[str]:
    """Return the names that provision noted before it held them."""
    try:
        return [str(name) for name in json.loads(files.text(root + MARK) or "{}").get("names", [])]
    except ValueError:
        return []


def parse(output: str) -> dict[str, bool]:
    """Return name to held of the installed packages; dpkg-query also names those that were removed."""
    rows = [line.split("\t") for line in output.splitlines()]
    return {row[0]: row[1] == "hold" for row in rows if len(row) == COLUMNS and row[2] == "installed"}


def loose(manager: str | None, found: Facts) -> list[str]:
    """Return what an update may still exchange: names for apt, the pattern for dnf and yum; [] when all is held."""
    if manager == "apt":
        return sorted(name for name, held in found["packages"].items() if not held)
    if manager in {"dnf", "yum"}:
        return [] if RPM_PATTERN in found["excluded"] else [RPM_PATTERN]
    return []
