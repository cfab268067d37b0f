"""Becoming root: the password reaches sudo and nobody else, whether sudo asks for it or not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from driver.becoming import as_root

PROGRAM = b"import sys; print('program', sys.stdin.read() == '')\n"
# What sudo does with -S: reads one line, byte by byte, and leaves the rest to the command.
ASKS = """#!/bin/sh
IFS= read -r given
[ "$given" = "open sesame" ] || { echo "sudo: 1 incorrect password attempt" >&2; exit 1; }
while [ "$1" != /bin/sh ]; do shift; done
exec "$@"
"""
ASKS_NOT = """#!/bin/sh
while [ "$1" != /bin/sh ]; do shift; done
exec "$@"
"""


def run(folder: Path, sudo: str, password: str) -> subprocess.CompletedProcess[bytes]:
    (folder / "sudo").write_text(sudo, encoding="utf-8")
    (folder / "sudo").chmod(0o755)
    words, before = as_root(("python3", "-I", "-"), password)
    assert password not in " ".join(words)
    line = f"PATH={folder}:$PATH; {' '.join(words)}"  # as a remote shell gets it
    return subprocess.run(["/bin/sh", "-c", line], input=before + PROGRAM, capture_output=True, check=False)


@pytest.mark.parametrize("sudo", [ASKS, ASKS_NOT], ids=["asks", "asks-not"])
def test_the_command_gets_its_own_input_alone(sudo: str, tmp_path: Path) -> None:
    done = run(tmp_path, sudo, "open sesame")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"program True\n", b"")


def test_a_wrong_password_is_not_repeated(tmp_path: Path) -> None:
    done = run(tmp_path, ASKS, "close sesame")
    assert done.returncode == 1
    assert b"close sesame" not in done.stdout + done.stderr


def test_without_a_password_sudo_must_not_ask() -> None:
    assert as_root(("true",), None) == (("sudo", "-n", "true"), b"")
