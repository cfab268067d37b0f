"""What /proc says about processes: who runs an installer now."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List


def running(pattern: str, proc: str = "/proc") -> List[Dict[str, Any]]:
    """Return pid and command of every process with an argument that *pattern* finds, this one left out."""
    wanted = re.compile(pattern)
    found = []
    for entry in os.listdir(proc):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(os.path.join(proc, entry, "cmdline"), "rb") as source:
                words = [word.decode("utf-8", "replace") for word in source.read().split(b"\0") if word]
        except OSError:
            continue  # it has ended meanwhile
        # a shell's or sudo's -c text that merely mentions the file is one word with blanks in it
        if any(wanted.search(word) and " " not in word for word in words):
            found.append({"pid": int(entry), "command": " ".join(words)[:200]})
    return sorted(found, key=lambda process: int(process["pid"]))
