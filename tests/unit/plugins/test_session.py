"""Commands that change a host: their answer, also when they were ended or do not exist."""

from __future__ import annotations

import pytest

from plugins.module_utils.converge import session


@pytest.mark.parametrize(
    ("argv", "seconds", "code", "output"),
    [
        (["sh", "-c", "echo out; echo err >&2; exit 3"], 60.0, 3, "out\nerr\n"),
        (["sh", "-c", "echo begun; exec sleep 60"], 3.0, session.TIMED_OUT, "begun\n"),
    ],
)
def test_answer_has_code_and_both_streams(argv: list[str], seconds: float, code: int, output: str) -> None:
    assert session.answer(argv, seconds) == (code, output)


def test_a_program_that_is_not_there_has_the_code_of_a_shell() -> None:
    assert session.answer(["no-such-program-here"], 5.0)[0] == session.NOT_FOUND
