"""Speed of looking at a fleet that needs nothing: `python -m tests.bench [--sizes 1 10 40] [--repeat 5]`.

All ways run in turn over the same hosts in one run, so that ratios hold when the machine is noisy; medians are printed.
The floor is one `ssh HOST sudo python3 -I -` per host, all at once, with the program that `provision` itself sends.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from driver.observe import FROM_STDIN
from tests.bench import clones
from tests.lab.site import engine, operations
from tests.lab.site.layout import Layout, Node, default_layout
from tests.lab.site.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
ROLES = "host_baseline,docker_engine,npu_driver,npu_firmware,ascend_docker_runtime,container_image,model_store"
PYINFRA_OPERATIONS = "tests/bench/pyinfra_operations.py"


def main() -> int:
    """Make the fleet, measure, print the table; what was made for it is removed again."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 40], metavar="N", help="fleet sizes")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="runs of each way; the median counts")
    parser.add_argument("--keep", action="store_true", help="leave the clones running")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table to FILE as well")
    options = parser.parse_args()
    layout, progress = default_layout(), Progress()
    operations.up(layout, progress)
    found = engine.ensure(layout)
    try:
        with clones.room_for_many():
            build(layout, found, max(options.sizes))
            text = render([measure(layout, size, options.repeat) for size in options.sizes], options.repeat)
        sys.stdout.write(text)
        if options.write:
            options.write.write_text(text, encoding="utf-8")
    finally:
        if not options.keep:
            clones.remove(found)
    return 0


def build(layout: Layout, found: engine.Engine, most: int) -> None:
    """Converge one host with the product itself and clone it."""
    sys.stderr.write(f"bench: converging one host, then cloning it {most} times\n")
    clones.remove(found)
    clones.trust(layout, found, [])
    clones.start_source(layout, found)
    run_ok(["up", "--yes", "--tags", ROLES], write_site(layout, "source", [clones.SOURCE]))
    clones.freeze(found)
    wanted = clones.nodes(most)
    clones.trust(layout, found, wanted)
    clones.make(layout, found, wanted)


def write_site(layout: Layout, name: str, nodes: list[Node]) -> Path:
    """Write a site of *nodes*, each with the lab's model and a one-card service of its own; return its folder."""
    site = yaml.safe_load((ROOT / "inventories/lab/site.yml").read_text(encoding="utf-8"))
    folder = layout.root / "bench" / name
    folder.mkdir(parents=True, exist_ok=True)
    pattern = site["hosts"][0]
    site["site"] = f"bench-{name}"
    site["images"], site["models"] = [], [model for model in site["models"] if "hosts" not in model]
    site["hosts"] = [{**pattern, "name": node.name, "address": str(node.address)} for node in nodes]
    service = {key: value for key, value in site["services"][0].items() if key != "distributed"}
    site["services"] = [
        {**service, "name": f"chat-{node.name}", "hosts": [node.name], "parallel": {"tensor": 1, "pipeline": 1}}
        for node in nodes
    ]
    site["connection"] |= {"identity_file": str(layout.identity), "known_hosts": str(layout.known_hosts)}
    for source in site["mirrors"]["apt"]:
        source["key_file"] = str(layout.archive_key)
    (folder / "site.yml").write_text(yaml.safe_dump(site, sort_keys=False), encoding="utf-8")
    (folder / "site.lock").write_text(layout.site_lock.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def provision(words: list[str], site: Path) -> subprocess.CompletedProcess[str]:
    """Run the product as a person would."""
    command = [str(ROOT / ".venv/bin/provision"), "--inventory", str(site), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def run_ok(words: list[str], site: Path) -> None:
    """Run the product and refuse a result that is not a success: a failed run must not count as a fast one."""
    done = provision(words, site)
    if done.returncode:
        raise SystemExit(
            f"bench: provision {' '.join(words)}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )


def floor(site: Path, programs: dict[str, bytes]) -> None:
    """Run the observation over plain ssh, all hosts at once."""
    config = site / "rendered/ssh_config"
    running = {}
    for host, program in programs.items():
        command = ["ssh", "-F", str(config), "-o", "BatchMode=yes", host, "sudo", "-n", "python3", *FROM_STDIN]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdin is not None
        process.stdin.write(program)
        process.stdin.close()
        running[host] = process
    for host, process in running.items():
        assert process.stdout is not None
        document = json.loads(process.stdout.read().splitlines()[-1])
        if process.wait() or document["host"] != host:
            raise SystemExit(f"bench: the floor failed on {host}")


def pyinfra(site: Path, nodes: list[Node], layout: Layout) -> None:
    """Run thirty operations that change nothing with pyinfra."""
    inventory = site / "pyinfra_hosts.py"
    data = {
        "ssh_user": "operator",
        "ssh_key": str(layout.identity),
        "ssh_known_hosts_file": str(layout.known_hosts),
        "_sudo": True,
    }
    hosts = [(str(node.address), data) for node in nodes]
    inventory.write_text(f"hosts = {hosts!r}\n", encoding="utf-8")
    command = [str(ROOT / ".venv/bin/pyinfra"), "-y", str(inventory), PYINFRA_OPERATIONS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"bench: pyinfra failed\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def measure(layout: Layout, size: int, repeat: int) -> dict[str, float]:
    """Return the median seconds of every way over *size* hosts."""
    from driver import fleet  # noqa: PLC0415 - after the site exists
    from driver.hostprogram import build_program  # noqa: PLC0415

    nodes = clones.nodes(size)
    site = write_site(layout, f"fleet-{size}", nodes)
    tags = ["--tags", ROLES]
    run_ok(["up", "--yes", *tags], site)
    programs = {host.name: build_program(host.wanted).encode() for host in fleet.load(str(site)).hosts}
    ways: dict[str, Callable[[], None]] = {
        "floor": lambda: floor(site, programs),
        "up": lambda: run_ok(["up", "--yes", *tags], site),
        "plan": lambda: run_ok(["plan", *tags], site),
        "check": lambda: run_ok(["check", *tags], site),
        "pyinfra": lambda: pyinfra(site, nodes, layout),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeat):
        for name, way in ways.items():
            began = time.monotonic()
            way()
            seconds[name].append(time.monotonic() - began)
            sys.stderr.write(f"bench: {size} hosts, turn {turn + 1}, {name}: {seconds[name][-1]:.2f} s\n")
    return {"hosts": size, **{name: statistics.median(values) for name, values in seconds.items()}}


def render(table: list[dict[str, float]], repeat: int) -> str:
    """Return the measurements as a Markdown table with ratios."""
    lines = [
        f"Median of {repeat} runs in seconds; {os.cpu_count()} cores for all; connections open.",
        "",
        "| hosts | floor | second `up` | `plan` | `check` | pyinfra, 30 operations "
        "| up / floor | plan / floor | check / floor | pyinfra / up |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table:
        cells = [f"{row[name]:.2f}" for name in ("floor", "up", "plan", "check", "pyinfra")]
        ratios = [
            row["up"] / row["floor"],
            row["plan"] / row["floor"],
            row["check"] / row["floor"],
            row["pyinfra"] / row["up"],
        ]
        lines.append(
            f"| {int(row['hosts'])} | {' | '.join(cells)} | {' | '.join(f'{ratio:.1f}' for ratio in ratios)} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
