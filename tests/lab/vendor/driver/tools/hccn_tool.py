#!/usr/bin/env python3
"""hccn_tool -i N -ip|-gateway|-netdetect|-link|-net_health|-tls|-fec|-speed|-mac|-lldp|-ping -g|-s …, -a -cfg recovery.

Addresses stand in /etc/hccn.conf (`address_0=…`); link and TLS belong to the cards.
"""

import ipaddress
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, "/usr/local/Ascend/driver/lib64/driver")
import davinci_state as state  # noqa: E402  # only the folder above has it

CONF = Path("/etc/hccn.conf")


class UsageError(Exception):
    """The arguments are not understood."""


def configured() -> dict[str, str]:
    if not CONF.is_file():
        return {}
    lines = CONF.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def store(changes: dict[str, str]) -> None:
    merged = {**configured(), **changes}
    draft = CONF.with_suffix(".new")
    draft.write_text("".join(f"{key}={value}\n" for key, value in merged.items()), encoding="utf-8")
    draft.chmod(0o644)
    draft.replace(CONF)


def pairs(words: list[str], *names: str) -> dict[str, str]:
    """Read `address 10.0.0.1 netmask …` and check that every value is an address."""
    given = {words[place]: words[place + 1] for place in range(0, len(words) - 1, 2)}
    if set(given) != set(names):
        raise UsageError(f"expected {' '.join(names)}")
    try:
        for value in given.values():
            ipaddress.IPv4Address(value)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return given


def get(index: int, what: str) -> str:
    """Return what `-WHAT -g` prints; an address that is not configured is a UsageError with that text."""
    conf = configured()
    detect = conf.get(f"netdetect_{index}")
    fixed = {
        "-link": f"link status: {state.card_fact(index, 'link', 'UP')}",
        "-net_health": f"net health status: {state.card_fact(index, 'net_health', 'Success' if detect else 'Init')}",
        "-tls": (
            f"dev_id:{index}, tls switch[{state.card_fact(index, 'tls', '0')}](0:disable, 1:enable), "
            "tls preconfigured[1](0:non-preset, 1:preset), tls alarm time threshold[60]days"
        ),
        "-fec": "fec mode: rs FEC mode",
        "-speed": "Speed: 200000 Mb/s",
        "-mac": f"mac addr: 02:19:e5:00:00:{index:02x}",
        "-lldp": f"Chassis ID TLV\n\tMAC: 02:19:e5:ff:00:01\nPort ID TLV\n\tIfname: 200GE1/0/{index + 1}",
    }
    if what in fixed:
        return fixed[what]
    key = {"-ip": "address", "-gateway": "gateway", "-netdetect": "netdetect"}.get(what)
    if key is None:
        raise UsageError(f"{what} is not supported")
    value = conf.get(f"{key}_{index}")
    if value is None:
        raise UsageError(f"device {index} has no {key} configured")
    return {
        "-ip": f"ipaddr:{value}\nnetmask:{conf.get(f'netmask_{index}')}",
        "-gateway": f"default gateway:{value}, Iface:eth{index}",
        "-netdetect": f"netdetect address: {value}",
    }[what]


def put(index: int, what: str, words: list[str]) -> None:
    if what == "-ip":
        given = pairs(words, "address", "netmask")
        store({f"{key}_{index}": value for key, value in given.items()})
    elif what == "-gateway":
        store({f"gateway_{index}": pairs(words, "gateway")["gateway"]})
    elif what == "-netdetect":
        store({f"netdetect_{index}": pairs(words, "address")["address"]})
    elif what == "-tls" and words[:1] == ["enable"] and words[1:] in (["0"], ["1"]):
        folder = state.CHIPS / f"cards/{index}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tls").write_text(words[1], encoding="utf-8")
    else:
        raise UsageError(f"{what} cannot be set to {' '.join(words)}")


def ping(index: int, words: list[str]) -> int:
    target = pairs(words[:2], "address")["address"]
    lost = f"address_{index}" not in configured() or state.card_fact(index, "link", "UP") != "UP"
    lost = lost or target in state.card_fact(index, "unreachable", "").split()
    sys.stdout.write(f"device {index} PING {target}\n")
    for number in range(3):
        text = "recv timeout" if lost else f"recv seq={number},time=0.0{41 + number}000ms"
        sys.stdout.write(text + "\n")
    received = 0 if lost else 3
    sys.stdout.write(f"3 packets transmitted, {received} received, {100 - received * 100 / 3:.2f}% packet loss\n")
    return 1 if lost else 0


def act(arguments: list[str], indexes: list[int]) -> int:
    if arguments == ["-a", "-cfg", "recovery"]:
        return 0
    if arguments[:1] != ["-i"] or len(arguments) < 4 or not arguments[1].isdigit():
        raise UsageError(__doc__ or "")
    index, what, mode, words = int(arguments[1]), arguments[2], arguments[3], arguments[4:]
    if index not in indexes:
        raise UsageError(f"device {index} does not exist")
    if what == "-ping" and mode == "-g":
        return ping(index, words)
    if mode == "-s":
        if os.geteuid() != 0:
            raise UsageError("only root may set this")
        put(index, what, words)
        return 0
    if what == "-cfg" and mode == "recovery":
        return 0
    sys.stdout.write(get(index, what) + "\n")
    return 0


def main(arguments: list[str]) -> int:
    if arguments in ([], ["-h"], ["--help"]):
        sys.stdout.write((__doc__ or "") + "\n")
        return 0
    try:
        return act(arguments, [card["index"] for card in state.cards(state.loaded())])
    except state.DcmiError as error:
        sys.stdout.write(f"hccn_tool initialize failed, ret is {error.code}\n")
    except UsageError as error:
        sys.stdout.write(f"[ERROR]{error}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
