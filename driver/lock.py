"""One acting run per site: a file lock that the kernel drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from driver.errors import Locked
from driver.paths import control_dir

LEFTOVER_SECONDS = 60.0


def lock_paths(folder: Path) -> tuple[Path, Path]:
    """Return the lock of the run and the lock that its Ansible holds for as long as it lives."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return control_dir() / f"{name}.run.lock", control_dir() / f"{name}.ansible.lock"


@contextmanager
def held(folder: Path, verb: str, say: Callable[[str], None], patience: float = LEFTOVER_SECONDS) -> Iterator[Path]:
    """Hold the lock of the site in *folder*; yield the lock file that Ansible's keeper has to hold.

    Raises Locked, naming verb and process, when another run holds it. A run that was killed leaves no lock, but its
    Ansible may need some seconds to end: that is waited for, so that two never work on the same hosts.
    """
    run_path, ansible_path = lock_paths(folder)
    with run_path.open("a+", encoding="utf-8") as run:
        if not _try(run):
            raise Locked(f"{folder.name}: {_holder(run)} is working on this site. Wait until it ends, or stop it.")
        _write_holder(run, verb)
        _wait_for_leftover(ansible_path, folder, say, patience)
        yield ansible_path


def _wait_for_leftover(path: Path, folder: Path, say: Callable[[str], None], patience: float) -> None:
    began = time.monotonic()
    with path.open("a+", encoding="utf-8") as leftover:
        if _try(leftover):
            return
        say(f"an earlier run was killed; waiting for {_holder(leftover)} to end")
        while not _try(leftover):
            if time.monotonic() - began > patience:
                raise Locked(
                    f"{folder.name}: {_holder(leftover)} of an earlier run does not end; expected within "
                    f"{patience:.0f} s after its `provision` was killed. Stop that process, then run again."
                )
            time.sleep(0.2)


def _try(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_holder(file: IO[str], verb: str) -> None:
    file.seek(0)
    file.truncate()
    json.dump({"pid": os.getpid(), "verb": verb}, file)
    file.flush()


def _holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        known = json.load(file)
        return f"`{known['verb']}` (process {known['pid']})"
    except (ValueError, KeyError):
        return "another run"
