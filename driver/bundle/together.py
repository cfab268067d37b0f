"""Do several transfers at a time: one that fails does not stop the others, a full disk or Ctrl-C stops them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from driver.bundle.fetch import Said
from driver.bundle.store import DiskFault
from driver.errors import TaskFailed

One = TypeVar("One")
Result = TypeVar("Result")


class Stopped(Exception):  # noqa: N818 - named for what happened
    """This transfer was ended because the work as a whole was."""


def together(
    act: Callable[[One, Said], Result], several: Iterable[One], said: Said, *, at_a_time: int = 4
) -> list[Result]:
    """Return what *act* returns for each of *several*, in order; *said* hears the sum of their bytes.

    Raises TaskFailed with the reasons of all that failed.
    """
    stop, counts = threading.Event(), dict[int, int]()

    def run(index: int, one: One) -> Result:
        def heard(count: int) -> None:
            if stop.is_set():
                raise Stopped
            counts[index] = count
            said(sum([*counts.values()]))

        return act(one, heard)

    with ThreadPoolExecutor(at_a_time) as threads:
        futures = [threads.submit(run, index, one) for index, one in enumerate(several)]
        try:
            faults = _follow(futures)
        except BaseException:
            stop.set()
            threads.shutdown(wait=True, cancel_futures=True)
            raise
    if faults:
        raise TaskFailed("\n".join(faults))
    return [future.result() for future in futures]


def _follow(futures: list[Future[Result]]) -> list[str]:
    """Wait for all; return the reasons of those that failed. Raises DiskFault at once."""
    waiting, faults = set(futures), []
    while waiting:
        ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in ended:
            error = future.exception()
            if isinstance(error, DiskFault) or (error is not None and not isinstance(error, TaskFailed)):
                raise error
            if error is not None:
                faults.append(str(error))
    return faults
