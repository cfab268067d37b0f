"""What the simulated site can say no to."""

from __future__ import annotations


class LabError(Exception):
    """Something about this machine or the simulated site that a person can act on."""

    exit_code = 5


class MissingToolError(LabError):
    """This machine lacks a program that the simulated site is built with."""

    exit_code = 3


class LabBusyError(LabError):
    """Another `lab` command is at work on the same site."""

    exit_code = 7
