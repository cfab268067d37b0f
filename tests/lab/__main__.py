"""The simulated site from the command line: `python -m tests.lab up | down | reset | fresh | status | lanes`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from tests.lab.site import command, lanehosts, operations
from tests.lab.site.errors import LabError
from tests.lab.site.layout import Layout, default_layout
from tests.lab.site.progress import Progress

NOT_READY = 6
INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="lab", description="Two bare simulated servers, and what a site has around them."
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="up | down | reset | fresh | status | lanes")
    for verb, text in {
        "up": "make the site, or whatever of it is missing",
        "reset": "throw the servers away and make bare ones, in seconds",
        "fresh": "make the named hosts bare again, and leave all others alone",
        "lanes": "list the hosts of other systems and cards that `up --lanes` makes, and which there are",
        "status": "ask every part of the site whether it answers",
        "down": "remove machines and network; stop the engine if the lab started it",
    }.items():
        sub = verbs.add_parser(verb, help=text, description=text)
        if verb in {"up", "reset"}:
            sub.add_argument(
                "--hosts", type=int, metavar="N", help="number of servers (default: as many as there are, or 2)"
            )
        if verb == "up":
            sub.add_argument(
                "--lanes", default="", metavar="NAME,…", help="hosts of other systems and cards as well, or all"
            )
        if verb == "fresh":
            sub.add_argument("names", nargs="+", metavar="NAME", help="a server or a lane, such as node3 or rpm")
        if verb == "down":
            sub.add_argument("--purge", action="store_true", help="remove what was built and downloaded, too")
        sub.add_argument("--json", action="store_true", help="answer as JSON on stdout")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Do what *argv* says and return the exit code."""
    options = parser().parse_args(argv)
    layout, progress = default_layout(), Progress()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        state = perform(options, layout, progress)
    except LabError as error:
        return _give_up(f"Error: {error}", error.exit_code)
    except KeyboardInterrupt:
        return _give_up("stopped; what was made stays, `lab up` goes on from there", INTERRUPTED)
    except Exception:  # our bug: told in full, and nothing of it left running
        return _give_up(traceback.format_exc(), 1)
    if options.json:
        sys.stdout.write(json.dumps({**state, "seconds": round(progress.elapsed, 1), "stages": progress.stages}) + "\n")
    elif options.verb == "lanes":
        sys.stdout.write(lane_table(state))
    elif "services" in state:
        sys.stdout.write(table(state))
    return 0 if state["ready"] or options.verb == "down" else NOT_READY


def perform(options: argparse.Namespace, layout: Layout, progress: Progress) -> dict[str, Any]:
    """Do what *options* ask for and return the state of the site, or what the verb has to say instead."""
    if options.verb == "down":
        operations.down(layout, progress, purge=options.purge)
        return {"ready": False}
    if options.verb == "up":
        names = [name for name in options.lanes.split(",") if name]
        return operations.up(layout, progress, options.hosts, names)
    if options.verb == "reset":
        return operations.reset(layout, progress, options.hosts)
    if options.verb == "fresh":
        return operations.fresh(layout, progress, options.names)
    return lanehosts.listed(layout) if options.verb == "lanes" else operations.status(layout)


def lane_table(state: dict[str, Any]) -> str:
    """Return the lanes as lines for a person."""
    row = "{name:<11} {address:<12} {state:<8} {system:<15} python {python:<5} {cards}\n"
    return "".join(row.format(**lane) for lane in state["lanes"])


def table(state: dict[str, Any]) -> str:
    """Return the state of the site as lines for a person."""
    found = state["engine"]
    kind = "" if found is None else " (the lab's own)" if found["ours"] else " (found running)"
    lines = [f"engine    {found['version']} {found['url']}{kind}" if found else "engine    none answers; run `lab up`"]
    lines += [_row(part, part["ok"], part["url"]) for part in state["services"]]
    lines += [_row(part, part["ssh"], f"{part['address']} {part['state']}") for part in state["hosts"]]
    lines += [f"image     {name}@{digest}" for name, digest in state["images"].items()]
    return "\n".join([*lines, "ready" if state["ready"] else "not ready; `lab up` makes what is missing", ""])


def _row(part: dict[str, Any], ok: bool, where: str) -> str:
    why = "" if ok or not part["detail"] else f"  {part['detail']}"
    return f"{part['name']:<9} {'answers' if ok else 'SILENT '} {where}{why}"


def _give_up(text: str, code: int) -> int:
    """Say why, and stop the programs of steps that still run beside the failed one."""
    sys.stderr.write(f"{text}\n")
    command.stop_children()
    return code


if __name__ == "__main__":
    CODE = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: that would wait for the threads of steps that are not wanted any more.
    os._exit(CODE)
