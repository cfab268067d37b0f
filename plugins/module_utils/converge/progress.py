"""Say how far a long step is: one small JSON file per step, replaced in one go, gone when the step has ended."""

from __future__ import annotations

import json
import os
import re
import time
from types import TracebackType
from typing import Optional, Type

FOLDER = "/run/provision/progress"
INTERVAL_SECONDS = 1.0


class Progress:
    """The progress file of one step; use it as a context, so that it disappears with the step."""

    def __init__(self, name: str, what: str, total_bytes: int = 0, folder: str = FOLDER) -> None:
        """Describe the step *what*; *total_bytes* is 0 while nobody knows it."""
        self.path = os.path.join(folder, re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") + ".json")
        self.what = what
        self.total_bytes = total_bytes
        self._last = 0.0

    def __enter__(self) -> Progress:
        """Write the first state."""
        self.update(0, force=True)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        """Remove the file: what is not there is not running."""
        try:
            os.unlink(self.path)
        except OSError:
            return

    def update(self, done_bytes: int, what: str = "", force: bool = False) -> None:
        """Write the state, at most once a second; a full /run must not stop the work."""
        now = time.time()
        if not force and now - self._last < INTERVAL_SECONDS:
            return
        self._last = now
        self.what = what or self.what
        state = {"what": self.what, "done_bytes": done_bytes, "total_bytes": self.total_bytes, "updated": now}
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
            with open(self.path + ".new", "w", encoding="utf-8") as draft:
                json.dump(state, draft)
            os.replace(self.path + ".new", self.path)
        except OSError:
            return
