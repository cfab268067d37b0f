"""Puts the numbers into docs/moving.md, between two marks, and the plot next to it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from .measure import Result
from .plot import draw

BEGIN, END = "<!-- bench-distribute: begin -->", "<!-- bench-distribute: end -->"


def machine() -> str:
    """Return what the numbers were taken on."""
    return f"{os.cpu_count()} cores ({platform.machine()}), Linux {platform.release().split('-')[0]}"


def cell(found: Result | None) -> str:
    if found is None:
        return "–"
    return "failed" if found.fault else f"{found.time_ratio:.2f} / {found.origin_ratio:.2f}"


def by_hosts(results: list[Result]) -> str:
    """Return the table of ways by number of hosts."""
    counts = sorted({found.hosts for found in results})
    rows = ["| way | " + " | ".join(f"N={count}" for count in counts) + " |", "|---" * (len(counts) + 1) + "|"]
    for way in dict.fromkeys(found.way for found in results):
        known = {found.hosts: found for found in results if found.way == way}
        rows.append(f"| {way} | " + " | ".join(cell(known.get(count)) for count in counts) + " |")
    return "\n".join(rows)


def by_cpu(results: list[Result]) -> str:
    """Return the table of processor seconds; each way was run with one host and with two."""
    rows = ["| way | origin, one host | that host | the first of two hosts | MB/s, one host |", "|---|---|---|---|---|"]
    for way in dict.fromkeys(found.way for found in results):
        one, two = (
            next((each for each in results if (each.way, each.hosts) == (way, count)), None) for count in (1, 2)
        )
        middle = f"{two.cpu_first:.2f}" if two and not two.fault else "–"
        if one and not one.fault:
            rows.append(f"| {way} | {one.cpu_origin:.2f} | {one.cpu_last:.2f} | {middle} | {one.speed:.0f} |")
    return "\n".join(rows)


def said(results: list[Result]) -> str:
    """Return what failed, and what our hosts said when something was done to them."""
    lines = [f"- {found.way}, N={found.hosts}: {found.fault}" for found in results if found.fault]
    for found in results:
        lines += [f"- {found.way}, N={found.hosts}: {note}" for note in found.notes[:3]]
    return "\n".join(lines)


def series(results: list[Result]) -> dict[str, list[tuple[int, float]]]:
    """Return what is drawn."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for found in results:
        if not found.fault:
            lines.setdefault(found.way, []).append((found.hosts, found.time_ratio))
    return lines


def write(document: Path, text: str, results: list[Result], title: str) -> None:
    """Replace what stands between the marks of *document* by *text*, and draw *results* next to it."""
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{document} lacks the lines {BEGIN} and {END}, between which the numbers belong")
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    document.with_suffix(".svg").write_text(draw(series(results), title), encoding="utf-8")
