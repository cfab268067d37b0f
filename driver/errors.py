"""Errors that the operator can act on; every class owns the exit code of the process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class ProvisionError(Exception):
    """A fault whose text tells the operator what to do; raised bare it is a bug of ours (exit code 1)."""

    exit_code: ClassVar[int] = 1


class UsageError(ProvisionError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_code: ClassVar[int] = 2


class SiteError(ProvisionError):
    """The site file or the catalog is invalid; `lines` holds one line for every fault."""

    exit_code: ClassVar[int] = 3

    def __init__(self, faults: str | Iterable[str]) -> None:
        """Keep every fault of *faults*, in order and each once."""
        given = [faults] if isinstance(faults, str) else [str(fault) for fault in faults]
        self.lines: tuple[str, ...] = tuple(dict.fromkeys(given))
        super().__init__("\n".join(self.lines))


class Unreachable(ProvisionError):  # noqa: N818 - named for what happened
    """At least one host does not answer, or does not let us in."""

    exit_code: ClassVar[int] = 4


class TaskFailed(ProvisionError):  # noqa: N818 - named for what happened
    """A task failed on a host, or a host still drifts after a run."""

    exit_code: ClassVar[int] = 5


class NotCompliant(ProvisionError):  # noqa: N818 - named for what happened
    """A compliance check is red, or no host was checked at all."""

    exit_code: ClassVar[int] = 6


class Locked(ProvisionError):  # noqa: N818 - named for what happened
    """Another run holds the lock of this site."""

    exit_code: ClassVar[int] = 7
