"""Who reaches whom: a ping from every port to the port of the same number on every other host, and what the holes mean.

HCCL connects devices of one number over hosts, so a rail is a device number. The tool sends from the port itself;
the host's own network plays no part.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.compliance import probe

GOOD = "ok"
LIMIT_SECONDS = 20
# of one device, one after another: a command on the open channel has three minutes
AT_ONCE = 8
Ports = Mapping[str, Mapping[int, str]]
Matrix = dict[int, dict[str, dict[str, str]]]
Cell = tuple[int, str, str]


def questions(ports: Ports, source: str) -> list[tuple[int, str, str]]:
    """Return (device, host, address) of everything that *source* has to reach; *ports* are all addresses by host."""
    return [
        (device, host, ports[host][device])
        for device in ports[source]
        for host in ports
        if host != source and device in ports[host]
    ]


def row(host: Any, expected: dict[str, Any], ports: Ports) -> list[tuple[Cell, str]]:
    """Return what the pings of one host gave."""
    source = host.backend.get_hostname()
    asked = questions(ports, source)
    targets = list(dict.fromkeys(target for _, target, _ in asked))
    found: list[tuple[Cell, str]] = []
    tool = f"{expected['npu_network_install_path']}/driver/tools/hccn_tool"
    for start in range(0, len(targets), AT_ONCE):
        now = targets[start : start + AT_ONCE]
        pairs = [(device, address) for device, target, address in asked if target in now]
        said = probe.ask(host, expected, "ping", "rails", tool, str(LIMIT_SECONDS), json.dumps(pairs))
        found += [
            ((device, source, target), said[f"{device} {address}"])
            for device, target, address in asked
            if target in now
        ]
    return found


def measured(hosts: Mapping[str, Any], variables: Mapping[str, dict[str, Any]]) -> Matrix:
    """Return the matrix of all *hosts* (open ones, by name); *variables* are those of every host with such ports."""
    ports = {
        name: {entry["device"]: entry["address"] for entry in values["npu_network_devices"]}
        for name, values in variables.items()
    }
    with ThreadPoolExecutor(max(1, len(hosts))) as pool:
        rows = pool.map(lambda name: row(hosts[name], variables[name], ports), hosts)
        return matrix(cell for cells in rows for cell in cells)


def matrix(cells: Iterable[tuple[Cell, str]]) -> Matrix:
    """Return *cells* as rail, source, target."""
    found: Matrix = {}
    for (rail, source, target), result in cells:
        found.setdefault(rail, {}).setdefault(source, {})[target] = result
    return found


def holes(found: Matrix) -> list[Cell]:
    """Return the cells that are not good."""
    return [
        (rail, source, target)
        for rail, rows in sorted(found.items())
        for source, row_of in rows.items()
        for target, result in row_of.items()
        if result != GOOD
    ]


def verdict(found: Matrix) -> list[str]:
    """Return what the holes have in common: everything, a host, a rail, a pair of hosts, or else the single cells."""
    every = {(rail, source, target) for rail, rows in found.items() for source in rows for target in rows[source]}
    bad = set(holes(found))
    if bad == every and len({source for _, source, _ in every}) > 1:
        return ["no port reaches any other: look at what all share, switches, VLANs and the plan of addresses"]
    lines, left = [], set(bad)
    for host in sorted({host for cell in every for host in cell[1:]}):
        about = {cell for cell in every if host in cell[1:]}
        if about <= bad and about != every:
            lines.append(f"{host} reaches nobody and nobody reaches it: look at {host}")
            left -= about
    for rail in sorted(found):
        about = {cell for cell in every if cell[0] == rail}
        if about <= bad and len(about & left) > 1:
            lines.append(f"rail {rail} is dead on all hosts: look at its switch or VLAN")
            left -= about
    for source, target in sorted({cell[1:] for cell in left}):
        about = {cell for cell in left if cell[1:] == (source, target)}
        lines.append(_pair(found, source, target, sorted(rail for rail, _, _ in about)))
    return lines


def _pair(found: Matrix, source: str, target: str, rails: list[int]) -> str:
    """Return the line of one pair of hosts that the tool did not connect on *rails*."""
    if len(rails) > 1 and len(rails) == sum(1 for rows in found.values() if target in rows.get(source, {})):
        return f"{source} does not reach {target} on any rail: look at the route between them"
    shown = ", ".join(f"{rail} ({found[rail][source][target]})" for rail in rails)
    return f"{source} does not reach {target} on rail {shown}: look at the route, and at these devices on both"


def drawn(found: Matrix) -> str:
    """Return the rails with holes as text, those that look the same once: from is down, to is across."""
    pictures: dict[str, list[int]] = {}
    for rail in sorted({rail for rail, _, _ in holes(found)}):
        pictures.setdefault(_picture(found[rail]), []).append(rail)
    return "\n".join(f"rail {', '.join(map(str, rails))}\n{picture}" for picture, rails in pictures.items())


def _picture(rows: Mapping[str, Mapping[str, str]]) -> str:
    names = sorted({*rows, *(target for cells in rows.values() for target in cells)})
    words = [[source, *(rows.get(source, {}).get(target, "-") for target in names)] for source in names]
    width = max(len(word) for line in [names, *words] for word in line) + 2
    return "\n".join("".join(word.ljust(width) for word in line).rstrip() for line in [["", *names], *words])


def as_json(found: Matrix) -> dict[str, Any]:
    """Return the matrix and its verdict as plain data."""
    return {"rails": {str(rail): rows for rail, rows in sorted(found.items())}, "verdict": verdict(found)}
