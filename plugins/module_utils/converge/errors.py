"""The one error that a module turns into a failed task."""

from __future__ import annotations


class RefusedError(Exception):
    """Something the operator can act on: what was found, what was expected, where it comes from, what to do."""
