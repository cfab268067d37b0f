"""Steps run in the order that they need, and the first failure is told at once."""

from __future__ import annotations

import io
import threading
import time

import pytest

from tests.lab.site.errors import LabError
from tests.lab.site.progress import Progress
from tests.lab.site.steps import Steps


def quiet() -> Progress:
    return Progress(io.StringIO())


def test_a_step_gets_the_results_that_it_needs() -> None:
    steps = Steps(quiet())
    one = steps.start("one", lambda: 1)
    two = steps.start("two", lambda: 2)
    total = steps.start("sum", lambda first, second: first + second, one, two)
    steps.finish()
    assert total.result() == 3


def test_independent_steps_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=5)
    steps = Steps(quiet())
    steps.start("left", meeting.wait)
    steps.start("right", meeting.wait)
    steps.finish()


def test_a_failure_is_raised_without_waiting_for_other_steps() -> None:
    release = threading.Event()
    ran = []

    def fail() -> None:
        raise LabError("no mirror")

    steps = Steps(quiet())
    steps.start("slow", lambda: release.wait(30))
    broken = steps.start("broken", fail)
    steps.start("after", ran.append, broken)
    begin = time.monotonic()
    with pytest.raises(LabError, match="no mirror"):
        steps.finish()
    assert time.monotonic() - begin < 5
    release.set()
    assert ran == []


def test_progress_says_what_begins_and_how_long_it_took() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.stage("host image"):
        progress.say("debootstrap")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "[   0s] host image …"
    assert lines[1] == "[   0s] debootstrap"
    assert lines[2].startswith("[   0s] host image: done in 0.")
    assert set(progress.stages) == {"host image"}
