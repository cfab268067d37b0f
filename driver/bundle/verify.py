"""Read every byte of a bundle again and compare it with its name: what is spoilt, missing, or needed by nobody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from driver import units
from driver.bundle.contents import Manifest
from driver.bundle.store import Store, sha256_of

_AT_A_TIME = 2


@dataclass(slots=True)
class Verdict:
    """What was found: *checked* contents with *size* bytes, faults with the name of what they belong to."""

    checked: int = 0
    size: int = 0
    missing: list[str] = field(default_factory=list)
    spoilt: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    removed: int = 0

    @property
    def good(self) -> bool:
        """Return whether the bundle is whole."""
        return not self.missing and not self.spoilt

    def as_data(self) -> dict[str, Any]:
        """Return the verdict as an answer in JSON has it."""
        return {
            "good": self.good,
            "checked": self.checked,
            "bytes": self.size,
            "missing": self.missing,
            "spoilt": self.spoilt,
            "not_in_manifest": self.strangers,
            "removed": self.removed,
        }

    def text(self) -> str:
        """Return the verdict for a person."""
        lines = [f"missing: {name}" for name in self.missing] + [f"spoilt: {name}" for name in self.spoilt]
        if self.strangers:
            number = units.count(len(self.strangers), "content")
            lines.append(f"not in the manifest: {number}, of an unfinished build or an earlier one (verify --remove)")
        whole = "the bundle is whole" if self.good else "the bundle is not whole"
        lines.append(f"{whole}: {units.count(self.checked, 'content')} with {units.size(self.size)} read and compared")
        if not self.good:
            lines.append(
                "provision bundle build fetches what is missing; with verify --remove spoilt contents go first"
            )
        return "\n".join(lines)


def verify(store: Store, manifest: Manifest, *, remove: bool = False) -> Verdict:
    """Compare every content of *manifest* with its sum; with *remove* those that are spoilt or unneeded go."""
    verdict = Verdict()
    wanted = manifest.contents()

    def look(sha256: str) -> str:
        size = wanted[sha256][0]
        file = store.path(sha256)
        if not file.is_file():
            return "missing"
        return "" if file.stat().st_size == size and sha256_of(file) == sha256 else "spoilt"

    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        states = dict(zip(wanted, threads.map(_readable(look), wanted), strict=True))
    for sha256, state in states.items():
        size, name = wanted[sha256]
        verdict.checked += state != "missing"
        verdict.size += size if state != "missing" else 0
        if state:
            getattr(verdict, state).append(f"{name} ({sha256[:12]}…)")
        if state == "spoilt" and remove:
            store.path(sha256).unlink()
            verdict.removed += 1
    for name, file in store.present():
        if name not in wanted:
            verdict.strangers.append(name)
            if remove:
                file.unlink()
                verdict.removed += 1
    return verdict


def _readable(look: Any) -> Any:
    """Take a file that the disk cannot read for a spoilt one."""

    def safe(sha256: str) -> str:
        try:
            return str(look(sha256))
        except OSError:
            return "spoilt"

    return safe
