#!/usr/bin/env python3
"""hccn_peer: what the wire does between the hosts of the lab. Answers other hosts that ask who has an address.

Started by host_sys_init, one per host; it keeps no node of the chips open and ends with the boot.
"""

from __future__ import annotations

import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, "/usr/local/Ascend/driver/lib64/driver")
import davinci_state as state  # noqa: E402  # only the folder above has it
import hccn_ports as network  # noqa: E402


def indexes() -> list[int]:
    """Return the chips that answer; none while the driver is being changed."""
    try:
        return [chip["index"] for chip in state.chips(state.loaded())]
    except (state.DcmiError, OSError, ValueError):
        return []


def main() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        try:
            wire.bind(("", network.WIRE))
        except OSError as error:
            sys.stderr.write(f"hccn_peer: UDP port {network.WIRE}: {error}\n")
            return 1
        while True:
            try:
                network.serve(wire, indexes)
            except OSError:
                continue  # the one who asked is gone


if __name__ == "__main__":
    raise SystemExit(main())
