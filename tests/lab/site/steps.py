"""Steps that wait for each other and else run side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from tests.lab.site.progress import Progress

Result = TypeVar("Result")

LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
MOST_STEPS = 512


class Steps:
    """A set of steps; each starts once the steps that it needs are done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        # One thread per step, so that a waiting step never keeps the one it waits for from starting.
        self._pool = ThreadPoolExecutor(MOST_STEPS)
        self._futures: dict[Future[Any], str] = {}
        self._since: dict[str, float] = {}

    def start(self, what: str, work: Callable[..., Result], *needs: Future[Any]) -> Future[Result]:
        """Run *work* with the results of *needs* as its arguments, as soon as they are there."""

        def step() -> Result:
            values = [need.result() for need in needs]
            self._since[what] = time.monotonic()
            try:
                with self._progress.stage(what, announce=False):
                    return work(*values)
            finally:
                del self._since[what]

        future = self._pool.submit(step)
        self._futures[future] = what
        return future

    def finish(self) -> None:
        """Wait for all steps; raise what the first one raised that failed, without waiting for the others."""
        waiting = set(self._futures)
        announced: set[str] = set()
        spoke = time.monotonic()
        while waiting:
            done, waiting = wait(waiting, timeout=LOOK_SECONDS, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            now = time.monotonic()
            busy = {what: now - since for what, since in sorted(self._since.copy().items())}
            for what in busy.keys() - announced:
                announced.add(what)
                self._progress.say(f"{what} …")
                spoke = now
            if waiting and now - spoke > HEARTBEAT_SECONDS:
                times = ", ".join(f"{what} ({seconds:.0f} s)" for what, seconds in busy.items())
                finished = sum(future.done() for future in self._futures)
                self._progress.say(f"{finished} of {len(self._futures)} steps done; at work: {times}")
                spoke = now
