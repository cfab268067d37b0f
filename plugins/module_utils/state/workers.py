"""Run the slow questions side by side; what fails in one place is noted and loses nothing elsewhere."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LIMIT_SECONDS = 100.0


class Notes:
    """What was seen and could not be understood, by area."""

    def __init__(self) -> None:
        """Start with nothing noted."""
        self.entries: list[dict[str, str]] = []

    def add(self, area: str, text: str) -> None:
        """Note *text* about *area*."""
        self.entries.append({"area": area, "text": text})

    def guard(self, area: str, fallback: Any, question: Callable[..., Any], *arguments: Any) -> Any:
        """Return question(*arguments), or *fallback* and a note when it fails.

        Whatever the reason is: a host that nobody foresaw must still be described.
        """
        try:
            return question(*arguments)
        except Exception as error:
            self.add(area, "%s: %s" % (type(error).__name__, error))
            return fallback


class Worker:
    """One question that is asked while others are."""

    def __init__(self, notes: Notes, area: str, fallback: Any, question: Callable[..., Any], *arguments: Any) -> None:
        """Start asking question(*arguments); *fallback* is the answer when it fails or takes too long."""
        self._notes, self._area = notes, area
        self._result = fallback
        self._thread = threading.Thread(target=self._run, args=(question, arguments), daemon=True)
        self._thread.start()

    def _run(self, question: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._result = self._notes.guard(self._area, self._result, question, *arguments)

    def result(self) -> Any:
        """Return the answer, waiting for it."""
        self._thread.join(LIMIT_SECONDS)
        if self._thread.is_alive():
            self._notes.add(self._area, "no answer within %.0f s" % LIMIT_SECONDS)
        return self._result
