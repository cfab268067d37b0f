#!/usr/bin/env python3
"""hccn_tool -i N -ip|-gateway|-netdetect|-tls -g|-s …, -i N -link|-net_health|-ping|-optical|… -g, -a -cfg recovery.

`-s` sets the port and writes /etc/hccn.conf; a file that was edited counts after `-cfg recovery` only.
"""

from __future__ import annotations

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, "/usr/local/Ascend/driver/lib64/driver")
import davinci_chips as hardware  # noqa: E402  # only the folder above has it
import davinci_state as state  # noqa: E402
import hccn_ports as network  # noqa: E402
from hccn_ports import UsageError  # noqa: E402


def pairs(words: list[str], *names: str) -> dict[str, str]:
    """Read `address 10.0.0.1 netmask …`."""
    given = {words[place]: words[place + 1] for place in range(0, len(words) - 1, 2)}
    if set(given) != set(names):
        raise UsageError("expected {}".format(" ".join(names)))
    return given


def optical(index: int) -> str:
    if state.card_fact(index, "optical", "present") != "present":
        return "present              : not present"
    power = "\n".join(f"{way} Power{lane}            : 1.1{lane} mW" for way in ("Tx", "Rx") for lane in range(4))
    return (
        "present              : present\ntemperature          : 41 C\nVcc                  : 3318.80 mV\n"
        f"{power}\nTx Los Flag          : 0x0\nRx Los Flag          : 0x0"
    )


def link_stat(index: int) -> str:
    up = network.link(index) == "UP"
    return (
        f"[device {index}]current link: {'UP' if up else 'DOWN'}\nlink up count : 1\nlink down count : {0 if up else 1}"
    )


def lldp(index: int) -> str:
    name = state.card_fact(index, "lldp_port", f"200GE1/0/{index + 1}")
    switch = state.card_fact(index, "lldp_system", "leaf-1")
    return f"Chassis ID TLV\n\tMAC: 02:19:e5:ff:00:01\nPort ID TLV\n\tIfname: {name}\nSystem Name TLV\n\t{switch}"


def tls(index: int) -> str:
    switch = (
        f"dev_id:{index}, tls switch[{state.card_fact(index, 'tls', '0')}](0:disable, 1:enable), "
        "tls preconfigured[1](0:non-preset, 1:preset), tls alarm time threshold[60]days"
    )
    if not certified(index):
        return switch
    return f"{switch}\ndev_id:{index}, [pub cert] info:\n\t subject[/C=CN/O=lab/CN=npu{index}.lab]"


def certified(index: int) -> bool:
    """Tell whether certificates are on the card: without them TLS does not go on."""
    return state.card_fact(index, "certificates", "no") == "yes"


def net_health(index: int) -> str:
    """Return Init while nothing is to be detected; whether the address answers is the fault file's, not measured."""
    detects = "netdetect" in network.ports().get(str(index), {})
    return state.card_fact(index, "net_health", "Success" if detects else "Init")


def get(index: int, what: str) -> str:
    """Return what `-WHAT -g` prints; an address that is not set is a UsageError with that text."""
    speed = hardware.family()["chips"].get("speed", 0)
    fixed = {
        "-link": lambda: f"link status: {network.link(index)}",
        "-net_health": lambda: f"net health status: {net_health(index)}",
        "-tls": lambda: tls(index),
        "-fec": lambda: "fec mode: rs FEC mode",
        "-speed": lambda: "Speed: {} Mb/s".format(state.card_fact(index, "speed", str(speed))),
        "-mac": lambda: f"mac addr: 02:19:e5:00:00:{index:02x}",
        "-lldp": lambda: lldp(index),
        "-optical": lambda: optical(index),
        "-link_stat": lambda: link_stat(index),
        "-stat": lambda: "packet statistics:\nmac_tx_total_pkt_num:0\nmac_rx_total_pkt_num:0\nroce_tx_err_pkt_num:0",
    }
    if what in fixed:
        return fixed[what]()
    key = {"-ip": "address", "-gateway": "gateway", "-netdetect": "netdetect"}.get(what)
    if key is None:
        raise UsageError(f"{what} is not supported")
    port = network.ports().get(str(index), {})
    if key not in port:
        if what == "-netdetect":
            return "netdetect address: 0.0.0.0"
        raise UsageError("Get {0} failed, because no {0} was preset there!".format(what[1:]))
    return {
        "-ip": "ipaddr:{address}\nnetmask:{netmask}",
        "-gateway": "default gateway:{gateway}, Iface:eth" + str(index),
        "-netdetect": "netdetect address: {netdetect}",
    }[what].format(**port)


def put(index: int, what: str, words: list[str]) -> None:
    if what == "-tls" and words[:1] == ["enable"] and words[1:] in (["0"], ["1"]):
        if words[1] == "1" and not certified(index):
            raise UsageError("No certificate found, please set certs firstly!")
        folder = state.CHIPS / f"cards/{index}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tls").write_text(words[1], encoding="utf-8")
        return
    if what == "-ip":
        given = pairs(words, "address", "netmask")
    elif what == "-gateway":
        given = pairs(words, "gateway")
    elif what == "-netdetect":
        given = {"netdetect": pairs(words, "address")["address"]}
    else:
        raise UsageError("{} cannot be set to {}".format(what, " ".join(words)))
    port = {**network.ports().get(str(index), {}), **given}
    if what == "-ip":
        port.pop("gateway", None)  # a route of the old address does not outlive it
    network.check(port)
    network.set_port(index, port)
    network.store({f"{key}_{index}": value for key, value in given.items()})


def ping(index: int, words: list[str], indexes: list[int]) -> int:
    target = pairs(words[:2], "address")["address"]
    network.check({"address": target, "netmask": "255.255.255.255"})
    lost = not network.reachable(index, target, indexes)
    sys.stdout.write(f"device {index} PING {target}\n")
    for number in range(3):
        text = "recv timeout" if lost else f"recv seq={number},time=0.0{41 + number}000ms"
        sys.stdout.write(text + "\n")
    received = 0 if lost else 3
    sys.stdout.write(f"3 packets transmitted, {received} received, {100 - received * 100 / 3:.2f}% packet loss\n")
    return 1 if lost else 0


def recovery(indexes: list[int], *, named: bool) -> int:
    """Set the ports as /etc/hccn.conf says; those that fail do not keep the others from it. *named* is what -a says."""
    if os.geteuid() != 0:
        raise UsageError("only root may set this")
    failed = [index for index in indexes if not network.recover(index)]
    for index in indexes if named else []:
        stream = sys.stderr if index in failed else sys.stdout
        stream.write(f"dev:{index} recovery {'fail' if index in failed else 'success'}\n")
    if failed:
        sys.stderr.write("Command execute failed!\n")
        sys.stdout.write(f"Recovery failed. Check '{network.LOG}' for details.\n")
        return 1
    sys.stdout.write("Cmd executed successfully!\n")
    return 0


def busy() -> bool:
    """Tell whether this call is one of those that the tool refuses: `hccn_busy` says how many are left."""
    left = int(state.fact("hccn_busy", "0"))
    if left:
        (state.CHIPS / "hccn_busy").write_text(str(left - 1), encoding="utf-8")
    return left > 0


def act(arguments: list[str], indexes: list[int]) -> int:
    if busy():
        raise UsageError("hccn_tool is busy, please try again.")
    if arguments == ["-a", "-cfg", "recovery"]:
        return recovery(indexes, named=True)
    if arguments[:1] != ["-i"] or len(arguments) < 4 or not arguments[1].isdigit():
        raise UsageError(__doc__ or "")
    index, what, mode, words = int(arguments[1]), arguments[2], arguments[3], arguments[4:]
    if index not in indexes:
        raise UsageError("The device is not exist!")
    time.sleep(float(state.card_fact(index, "hccn_seconds", "0")))
    if what == "-cfg" and mode == "recovery":
        return recovery([index], named=False)
    if what == "-ping" and mode == "-g":
        return ping(index, words, indexes)
    if mode == "-s":
        if os.geteuid() != 0:
            raise UsageError("only root may set this")
        put(index, what, words)
        sys.stdout.write("Cmd executed successfully!\n")
        return 0
    sys.stdout.write(get(index, what) + "\n")
    return 0


def main(arguments: list[str]) -> int:
    if arguments in ([], ["-h"], ["--help"]):
        sys.stdout.write((__doc__ or "") + "\n")
        return 0
    try:
        return act(arguments, [chip["index"] for chip in state.chips(state.loaded())])
    except state.DcmiError as error:
        sys.stdout.write(f"hccn_tool initialize failed, ret is {error.code}\n")
    except UsageError as error:
        sys.stdout.write(f"{error}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
