"""Hold the packages of the kernel, in the way of the host's package manager, and let go only of what was held here."""

from __future__ import annotations

import json
import re
from typing import Callable, List, Optional, Tuple

from ..state import kernel_hold, rpm
from . import textfile
from .errors import RefusedError

Run = Callable[[List[str]], Tuple[int, str]]
MARK = kernel_hold.MARK
MANAGERS = ("apt", "dnf", "yum")


def hold(manager: str, check: bool, run: Run, root: str = "") -> List[str]:
    """Hold what an update could still exchange; return its names. Raises RefusedError."""
    if manager not in MANAGERS:
        raise RefusedError(
            f"no way to hold kernel packages with {manager or 'no package manager'}; expected one of "
            f"{', '.join(MANAGERS)}. Take system.hold_kernel out of site.yml, and hold the kernel by hand."
        )
    loose = kernel_hold.loose(manager, kernel_hold.observe(manager))
    if check or not loose:
        return loose
    # noted first: what a killed run held must be found again
    names = sorted({*kernel_hold.held_here(root), *loose})
    textfile.write(root + MARK, json.dumps({"manager": manager, "names": names}), 0o600)
    if manager == "apt":
        _mark("hold", loose, run)
    else:
        path = rpm.main_file(root) or (rpm.MAIN_FILES[0] if manager == "dnf" else rpm.MAIN_FILES[1])
        textfile.write(root + path, with_excluded(textfile.read(root + path), loose))
    return loose


def release(check: bool, run: Run, root: str = "") -> List[str]:
    """Let go of what was held here; return its names."""
    names = kernel_hold.held_here(root)
    if check or not names:
        return names
    if json.loads(textfile.read(root + MARK))["manager"] == "apt":
        present = kernel_hold.observe("apt")["packages"]
        _mark("unhold", [name for name in names if present.get(name)], run)
    else:
        path = rpm.main_file(root)
        if path:
            textfile.write(root + path, without_excluded(textfile.read(root + path), names))
    textfile.remove(root + MARK)
    return names


def _mark(verb: str, names: List[str], run: Run) -> None:
    if not names:
        return
    code, output = run(["apt-mark", verb, *names])
    if code != 0:
        raise RefusedError(f"apt-mark {verb} {' '.join(names)} ended with code {code}, expected 0: {output.strip()}")


def with_excluded(text: str, names: List[str]) -> str:
    """Return the settings *text* with *names* among those that [main] leaves out; everything else stays."""
    lines = text.splitlines()
    place = _line(lines)
    if place is not None:
        lines[place] = f"{lines[place].rstrip()} {' '.join(names)}"
        return "\n".join(lines) + "\n"
    try:
        head = next(number for number, line in enumerate(lines) if line.strip() == "[main]")
    except StopIteration:
        head, lines = 0, ["[main]", *lines]
    return "\n".join([*lines[: head + 1], f"exclude={' '.join(names)}", *lines[head + 1 :]]) + "\n"


def without_excluded(text: str, names: List[str]) -> str:
    """Return the settings *text* without *names* in what [main] leaves out; a line that gets empty goes."""
    lines = text.splitlines()
    place = _line(lines)
    if place is None:
        return text
    key, _, value = lines[place].partition("=")
    kept = [word for word in re.split(r"[\s,]+", value.strip()) if word and word not in names]
    lines[place : place + 1] = [f"{key}={' '.join(kept)}"] if kept else []
    return "".join(line + "\n" for line in lines)


def _line(lines: List[str]) -> Optional[int]:
    """Return the number of the line of [main] that says what is left out."""
    section = ""
    for number, line in enumerate(lines):
        text = line.strip()
        if text.startswith("["):
            section = text
        elif section == "[main]" and text.partition("=")[0].strip().lower() in rpm.EXCLUDES:
            return number
    return None
