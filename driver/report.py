"""The report of a run for people: a summary for the terminal and one page that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from driver import paths
from driver.table import table
from driver.units import count, duration

PAGE = "report.html"
Document = Mapping[str, Any]


def write_page(document: Document, folder: Path) -> Path:
    """Write report.html into the run's *folder* and return its path."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(paths.TEMPLATES / "report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters["duration"] = duration
    env.filters["count"] = count
    text = env.get_template("report.html.j2").render(
        report=document, headline=headline(document), roles=_roles(document)
    )
    target = folder / PAGE
    target.write_text(text, encoding="utf-8")
    target.chmod(0o600)
    return target


def headline(document: Document) -> str:
    """Return the verdict of a run as one sentence."""
    verb, site, hosts = document["verb"], document["site"], len(document["hosts"])
    if document["exit_code"]:
        return f"{verb} of site {site}: {document['verdict']}"
    plan = document["plan"]
    changes = sum(len(host["changes"]) for host in plan["hosts"].values()) if plan else 0
    if document.get("dry") and changes:  # a report of an earlier version does not say
        differing = sum(1 for host in plan["hosts"].values() if host["changes"])
        todo = f"{count(changes, 'change')} to make on {count(differing, 'host')}"
        return f"site {site} differs from its file: {todo}; nothing was changed"
    if verb == "up" and not changes:
        return f"nothing to do on {count(hosts, 'host')}: site {site} is what its file says"
    if verb == "up":
        touched = sum(1 for host in document["hosts"].values() if host["tasks_changed"])
        return (
            f"site {site} is what its file says: {count(changes, 'change')} made on {touched} of {count(hosts, 'host')}"
        )
    if verb == "check":
        return f"site {site}: {document['check']['headline']}"
    return f"{verb} of site {site}: done on {count(hosts, 'host')}"


def _roles(document: Document) -> list[str]:
    """Return the roles that took time on any host, in the order of the longest list."""
    hosts = sorted(document["hosts"].values(), key=lambda host: -len(host["roles"]))
    return list(dict.fromkeys(role for host in hosts for role in host["roles"]))


def summary(document: Document, folder: Path, width: int) -> str:
    """Return what a run did as text for stdout: verdict, answers, times, where the report lies."""
    draw = partial(table, width=width)
    parts = [headline(document) + "\n"]
    for reply in document["answers"]:
        said = reply["answer"].strip() if not reply["error"] else f"(no answer: {reply['error']})"
        asked = f"{reply['service']} at {reply['url']} was asked {reply['question']!r}"
        parts.append(f"{asked} and said, after {duration(reply['seconds'])}:\n")
        parts.append("".join(f"  {line}\n" for line in said.splitlines() or [""]))
    stages = [[stage["name"], duration(stage["seconds"] or 0)] for stage in document["stages"]]
    parts.append(draw(("stage", "time"), [*stages, ["all", duration(document["seconds"])]]))
    page = folder / PAGE
    parts.append(f"report: {paths.shown(page if page.is_file() else folder / 'report.json')}\n")
    return "".join(parts)


def checks(document: Document, width: int) -> str:
    """Return the compliance of a run as text: the sums by host and role, then every red check.

    The verdict follows where the summary of the run does not say it: that of `check` is it.
    """
    result = document["check"]
    if result is None:
        return "no checks in this run\n"
    rows: dict[tuple[str, str], list[int]] = {}
    for check in result["checks"]:
        sums = rows.setdefault((check["host"], check["role"]), [0, 0])
        sums[0 if check["passed"] else 1] += 1
    lines = [
        [host, role, "failed" if bad else "ok", f"{good} passed" + (f", {bad} failed" if bad else "")]
        for (host, role), (good, bad) in sorted(rows.items(), key=lambda item: item[0][0])
    ]
    parts = [table(("host", "role", "result", "checks"), lines, width=width)] if lines else []
    parts += [f"{check['message']}\n" for check in result["checks"] if not check["passed"]]
    parts += [f"{host}: unreachable: {why}\n" for host, why in result["unreachable"].items()]
    verdict = [] if document["verb"] == "check" else [f"{result['headline']}\n"]
    return "".join([*parts, *verdict])
