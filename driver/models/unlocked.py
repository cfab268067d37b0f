"""Lock what a site has not locked yet, before a plan or a run: said in one line each, and never in the way of them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from driver import paths
from driver.errors import SiteError

PATIENCE_SECONDS = 60.0
REMEMBERED_SECONDS = 600.0
ADVICE = "its files are not known before the host that fetches has listed them; `provision lock` asks again"


def complete(name: str, models: tuple[str, ...], say: Callable[[str], None]) -> bool:
    """Lock *models* of the site *name*; return whether site.lock has changed.

    A source that this machine does not reach is a warning, said again and not asked again for some minutes: the host
    that fetches lists the files, then.
    """
    memory, stamp = _memory(name), _stamp(name, models)
    known = _remembered(memory, stamp)
    if known is not None:
        for line in known:
            say(line)
        return False
    from driver import resolve
    from driver.models import locking
    from driver.models.asking import Limits

    say(f"site.lock: asking the sources of {', '.join(models)}, for {PATIENCE_SECONDS:.0f} s at most")
    try:
        outcomes = locking.lock(resolve.load(name), limits=Limits(list_seconds=PATIENCE_SECONDS), only=models)
    except SiteError as error:  # a token that is not there now is missed by whoever needs it
        say(f"warning: no model was locked: {error}")
        return False
    lines = [f"warning: {one.sentence()}; {ADVICE}" for one in outcomes if one.state == locking.FAILED]
    done = [one for one in outcomes if one.state in (locking.LOCKED, locking.RENEWED)]
    for one in done:
        say(f"site.lock: {one.sentence()}")
    for line in lines:
        say(line)
    failed = tuple(one.model for one in outcomes if one.state == locking.FAILED)
    _remember(memory, _stamp(name, failed) if failed else "", lines)
    return bool(done)


def _memory(name: str) -> Path:
    folder = str(paths.site_dir(name))
    return paths.control_dir() / f"unlocked-{hashlib.sha256(folder.encode()).hexdigest()[:16]}.json"


def _stamp(name: str, models: tuple[str, ...]) -> str:
    """Return what tells these models of the site as it is written now from all others."""
    site = (paths.site_dir(name) / paths.SITE_FILE).read_bytes()
    return hashlib.sha256(json.dumps(models).encode() + site).hexdigest()


def _remembered(memory: Path, stamp: str) -> list[str] | None:
    """Return what was said when the same models of the same site could not be locked a short while ago."""
    try:
        known: dict[str, Any] = json.loads(memory.read_text(encoding="utf-8"))
        young = 0 <= time.time() - memory.stat().st_mtime < REMEMBERED_SECONDS
        return list(known["lines"]) if young and known["stamp"] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(memory: Path, stamp: str, lines: list[str]) -> None:
    with suppress(FileNotFoundError):
        memory.unlink()
    if stamp:
        memory.write_text(json.dumps({"stamp": stamp, "lines": lines}), encoding="utf-8")
