"""Which kernel packages a host has, and whether its package manager would exchange them behind our back."""

from __future__ import annotations

from . import commands, rpm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .items import Facts

# Images, headers, modules, and the packages without content that pull in the next version of each.
APT_PATTERNS = ("linux-image-*", "linux-headers-*", "linux-modules-*", "linux-generic*", "linux-virtual*")
RPM_PATTERN = "kernel*"
QUERY_SECONDS = 20.0
COLUMNS = 3


def unknown() -> Facts:
    """Return the facts of a host where nobody can be asked."""
    return {"packages": {}, "excluded": [], "file": ""}


def observe(manager: str | None) -> Facts:
    """Return {packages, excluded, file}: apt's kernel packages with whether each is held; what dnf or yum leave out."""
    if manager == "apt":
        shape = "${Package}\t${db:Status-Want}\t${db:Status-Status}\n"
        _, output = commands.run(["dpkg-query", "--show", "--showformat", shape, *APT_PATTERNS], QUERY_SECONDS)
        return dict(unknown(), packages=parse(output))
    if manager in {"dnf", "yum"}:
        return dict(unknown(), excluded=rpm.excluded(), file=rpm.main_file() or "")
    return unknown()


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
