"""Draws time over the number of hosts as SVG; both axes are logarithmic."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 230, 30, 50
COLOURS = ("#b8322a", "#2b6cb0", "#2f855a", "#b7791f", "#6b46c1", "#4a5568", "#0f766e")
TICKS = (1, 1.5, 2, 3, 4, 6, 8, 12, 16)
Series = dict[str, list[tuple[int, float]]]


def draw(series: Series, title: str) -> str:
    """Return the SVG of *series*: points (hosts, ratio) by name."""
    points = [point for line in series.values() for point in line]
    most_hosts = max((hosts for hosts, _ in points), default=1)
    top = max([1.5, *(ratio for _, ratio in points)])

    def x(hosts: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log2(hosts) / max(1.0, math.log2(most_hosts))

    def y(ratio: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(max(ratio, 1)) / math.log(top)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/><text x="{LEFT}" y="18">{escape(title)}</text>'
    ]
    for tick in (each for each in TICKS if each <= top):
        parts.append(
            f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for hosts in sorted({hosts for hosts, _ in points}):
        parts.append(f'<text x="{x(hosts):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{hosts}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">hosts</text>')
    parts += [_line(x, y, name, line, number) for number, (name, line) in enumerate(series.items())]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(x, y, name: str, line: list[tuple[int, float]], number: int) -> str:  # type: ignore[no-untyped-def]
    colour = COLOURS[number % len(COLOURS)]
    path = " ".join(f"{x(hosts):.1f},{y(ratio):.1f}" for hosts, ratio in line)
    dots = "".join(f'<circle cx="{x(hosts):.1f}" cy="{y(ratio):.1f}" r="3" fill="{colour}"/>' for hosts, ratio in line)
    place = TOP + 10 + number * 20
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'
        f'<path d="M{WIDTH - RIGHT + 14} {place}h18" stroke="{colour}" stroke-width="3"/>'
        f'<text x="{WIDTH - RIGHT + 38}" y="{place + 4}">{escape(name)}</text>'
    )
