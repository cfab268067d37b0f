"""Writes docs/matrix.md out of the JUnit files of the situations and the lanes: python -m tests.lanes.matrix FILE...

What a file does not have keeps the result that the document says, as long as the test still exists.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.lab.site import lanes
from tests.situations import schema

from . import remains, steps

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/matrix.md"
TEMPLATE = Path(__file__).with_name("matrix.md.j2")
OK, FAILED, NOT_RUN = "ok", "FAILED", "not run"

Results = dict[tuple[str, str], str]
"""Lane and name of the situation, or lane and step -> result."""


def read(files: Iterable[Path]) -> Results:
    """Return the results that JUnit files hold; the last file that has a test wins."""
    found: Results = {}
    for file in files:
        for case in ET.parse(file).getroot().iter("testcase"):  # noqa: S314 - our own files
            properties = {one.get("name", ""): one.get("value", "") for one in case.iter("property")}
            bad = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
            name = case.get("name", "").partition("[")[2].rpartition("]")[0]
            if properties.get("lane") == steps.FLEET:
                found[steps.FLEET, fleet_name(case.get("name", ""))] = FAILED if bad else OK
            elif "step" in properties:
                found[properties["lane"], properties["step"]] = FAILED if bad else OK
            elif "lane" in properties:
                found[properties["lane"], name] = FAILED if bad else OK
    return found


def fleet_name(test: str) -> str:
    """Return how the matrix calls a test of several lanes."""
    return f"lanes/{test.removeprefix('test_').replace('_', '-')}"


def known(document: Path = DOCUMENT) -> Results:
    """Return the results that the document says."""
    found: Results = {}
    if not document.exists():
        return found
    columns: list[str] = []
    for line in document.read_text(encoding="utf-8").replace("\\|", "").splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells[:1] == ["lane"]:
            columns = cells
        elif cells and columns and cells[0] in {lane.name for lane in lanes.lanes()} and len(cells) == len(columns):
            found |= {(cells[0], step): cell for step, cell in zip(columns[1:], cells[1:], strict=True)}
        elif len(cells) == len(("situation", "lane", "result")) and "/" in cells[0]:
            found[cells[1], cells[0]] = cells[2]
    return found


def render(results: Mapping[tuple[str, str], str]) -> str:
    """Return the text of the document: every lane and every situation that exists, with its result."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown
    )
    situations = schema.load()
    texts = schema.sentences()
    proofs = {
        key: [
            {"name": one.slug, "lane": one.lane, "result": results.get((one.lane, one.slug), NOT_RUN)}
            for one in situations
            if one.sentence == key
        ]
        + [
            {"name": name, "lane": steps.FLEET, "result": results.get((steps.FLEET, name), NOT_RUN)}
            for name, sentence in steps.FLEETS.items()
            if sentence == key
        ]
        for key in texts
    }
    by_lanes = {key: names for key in texts if (names := steps.proven_by(key))}
    return environment.get_template(TEMPLATE.name).render(
        lanes=lanes.lanes(), steps=steps.STEPS, results=results, texts=texts, proofs=proofs, by_lanes=by_lanes,
        remains=remains.reasons(), not_run=NOT_RUN,
    )  # fmt: skip


def red(results: Mapping[tuple[str, str], str]) -> list[str]:
    """Return what is not well: what failed, and what was not run although its lane is not a slow one."""
    slow = {lane.name for lane in lanes.lanes() if lane.slow}
    return [
        f"{lane}: {name}: {result}"
        for (lane, name), result in sorted(results.items())
        if result != OK and not (result == NOT_RUN and lane in slow)
    ]


def main(files: list[str]) -> int:
    """Write the document; return 1 when something in it is not well."""
    results = known() | read(map(Path, files))
    DOCUMENT.write_text(render(results), encoding="utf-8")
    results = known()  # without those of tests that are gone
    faults = red(results)
    sys.stdout.write(
        "\n".join([*faults, f"{DOCUMENT.name}: {len(results)} results, {len(faults)} of them not well", ""])
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
