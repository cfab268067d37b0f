"""The client of the object storage: there, private, and let in by the storage."""

from __future__ import annotations

import re
import shlex
from typing import Any

from tests.compliance import judge


def test_program_is_there_and_can_be_run(host: Any, expected: dict[str, Any]) -> None:
    program = f"{expected['obsutil_install_dir']}/obsutil"
    found = judge.output(host, program, f"stat -c '%U %a' {shlex.quote(program)}")
    judge.equal(host, f"owner and mode of {program}", "root 755", found)


def test_configuration_is_private_and_has_the_address(host: Any, expected: dict[str, Any]) -> None:
    path = expected["obsutil_config_path"]
    found = judge.output(host, path, f"stat -c '%F, %U, %a' {shlex.quote(path)}")
    judge.equal(host, f"kind, owner and mode of {path}", "regular file, root, 600", found)
    lines = judge.content(host, path).splitlines()
    address = next((line.partition("=")[2] for line in lines if line.startswith("endpoint=")), "no line endpoint=")
    judge.equal(host, f"{path}: endpoint", expected["obsutil_endpoint"], address)


def test_no_shell_start_file_holds_the_keys(host: Any) -> None:
    script = "grep -lE 'OBSAK|OBSSK|obsutil config' /root/.bashrc /root/.profile /etc/profile.d/* 2>/dev/null"
    judge.equal(host, "start files with keys of obsutil", "none", judge.listed(host.run(script).stdout.split()))


def test_storage_lists_its_buckets(host: Any, expected: dict[str, Any]) -> None:
    command = f"{expected['obsutil_install_dir']}/obsutil ls -config={expected['obsutil_config_path']}"
    # it leaves a log and a second configuration in its home, whatever it is told
    found = host.run(f"HOME=/run/provision timeout 60 {command}")
    said = " ".join((found.stdout + found.stderr).split())
    listed = found.rc == 0 and re.search(r"Bucket number( is)? ?:", said)
    judge.true(host, command, listed, "a list of buckets", said[-300:])
