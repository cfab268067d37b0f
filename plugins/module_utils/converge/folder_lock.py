"""One host at a time fills a folder: on shared storage several of them may want to."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from typing import IO, Callable, Iterator

from .errors import RefusedError

POLL_SECONDS = 2.0
# How file systems say that somebody else has the lock.
HELD = (errno.EAGAIN, errno.EACCES)


@contextlib.contextmanager
def held(path: str, timeout_seconds: float, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file *path* meanwhile; *waiting* is called with the holder's name as long as it is another's.

    Raises RefusedError when the time is up, or where the file system has no locks.
    """
    limit = time.monotonic() + timeout_seconds
    with _opened(path) as lock:
        while not _taken(lock, path):
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            if time.monotonic() > limit:
                raise RefusedError(
                    f"{path} is still held by {holder} after {timeout_seconds:.0f} s, and only one may fill the folder "
                    "at a time. Let it finish, or end it there, then run again."
                )
            waiting(holder)
            time.sleep(POLL_SECONDS)
        lock.truncate(0)
        lock.write(
            f"{os.uname().nodename} (pid {os.getpid()}, since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())})"
        )
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def _opened(path: str) -> IO[str]:
    """Open the lock file, never through a link: in a folder of another account it could name any file of root's."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise RefusedError(
            f"{path} is a symbolic link, expected a file that provision has made, or none. Look who may write to that "
            "folder, then remove the link and run again."
        ) from error
    return os.fdopen(handle, "a+", encoding="utf-8")  # not "w": that would blank the holder's name


def _taken(lock: IO[str], path: str) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            return False
        raise RefusedError(
            f"{path} can not be locked: {error.strerror}. Several hosts may fill this folder, so its file system "
            "has to know locks: mount it with them, or choose another path in site.yml (models.path)."
        ) from error
    return True
