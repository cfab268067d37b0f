"""Numbers as people read them."""

from __future__ import annotations


def size(count: float) -> str:
    """Return *count* bytes with a decimal unit, as download tools and vendors give them."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Return *seconds* as 4.2 s, 52 s, 3 min 05 s or 1 h 02 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(number: int, noun: str) -> str:
    """Return number and noun, the noun in the plural where it belongs."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
