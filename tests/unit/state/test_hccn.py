"""What hccn.conf and hccn_tool say, as real ones do, and what the comparison makes of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.state import compare_npu_network, hccn

DEVICES = [
    {"device": 0, "address": "10.20.0.1", "netmask": "255.255.255.0", "gateway": "10.20.0.254", "netdetect": ""},
    {"device": 1, "address": "10.20.0.2", "netmask": "255.255.255.0", "gateway": "10.20.0.254", "netdetect": ""},
]
CONF = "\n".join(f"{key}={value}" for key, value in hccn.keys(DEVICES).items())
SWITCH = "dev_id:0, tls switch[%s](0:disable, 1:enable), tls preconfigured[1](0:non-preset, 1:preset), tls alarm"


@pytest.mark.parametrize(
    ("question", "text", "facts"),
    [
        ("ip", "ipaddr:10.1.0.1\nnetmask:255.255.0.0", {"address": "10.1.0.1", "netmask": "255.255.0.0"}),
        ("ip", "Get ip failed, because no ip was preset there!", {}),
        ("ip", "Get ipconf failed, because no ip was preset there!", {}),
        ("ip", "hccn_tool initialize failed, ret is -8005", None),
        ("gateway", "default gateway:10.1.0.254, Iface:eth0", {"gateway": "10.1.0.254"}),
        ("gateway", "Get gateway failed, because no gateway was preset there!", {}),
        ("netdetect", "netdetect address: 10.1.0.254", {"netdetect": "10.1.0.254"}),
        ("netdetect", "netdetect address: 0.0.0.0", {"netdetect": ""}),
        ("link", "link status: UP", {"link": "UP"}),
        ("net_health", "net health status: Receive timeout\n", {"health": "Receive timeout"}),
        ("tls", SWITCH % 1, {"tls": "on", "certificates": False}),
        ("tls", SWITCH % 0 + "\ndev_id:0, [pub cert] info:", {"tls": "off", "certificates": True}),
        ("tls", "No certificate found, please set certs firstly!", {"tls": "off", "certificates": False}),
        ("tls", "Command execute failed!", None),
    ],
)
def test_an_answer_is_understood_or_none(question: str, text: str, facts: dict[str, Any] | None) -> None:
    assert hccn.understood(question, text) == facts


def write_tool(folder: Path, script: str) -> str:
    tool = folder / "hccn_tool"
    tool.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    tool.chmod(0o755)
    return str(tool)


def test_a_device_that_says_nothing_is_named_and_loses_nothing_of_the_others(tmp_path: Path) -> None:
    answers = (
        '[ "$2" = 1 ] && { echo "The device is not exist!"; exit 1; }\n'
        'case "$3" in -ip) printf "ipaddr:10.20.0.%d\\nnetmask:255.255.255.0\\n" $(($2 + 1));;\n'
        "-link) echo 'link status: UP';;\n"
        "-gateway) echo 'default gateway:10.20.0.254, Iface:eth0';; -netdetect) echo 'netdetect address: 0.0.0.0';;\n"
        "-net_health) echo 'net health status: Init';; -tls) echo 'tls switch[0]';; esac"
    )
    cards = hccn.ask_all(write_tool(tmp_path, answers), [0, 1, 2])
    assert [cards[number]["address"] for number in ("0", "1", "2")] == ["10.20.0.1", "", "10.20.0.3"]
    assert cards["1"]["error"] == "-ip -g ended with code 1: The device is not exist!"
    assert (cards["0"]["link"], cards["0"]["health"], cards["0"]["tls"]) == ("UP", "Init", "off")


def test_a_busy_tool_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hccn, "BUSY_SECONDS", 0.01)
    refusal = 'echo "hccn_tool is busy, please try again."; exit 1'
    script = f'echo x >>"$0.calls"; [ $(wc -l <"$0.calls") -gt 2 ] && exit 0; {refusal}'
    tool = write_tool(tmp_path, script)
    assert hccn.call([tool], 5)[0] == 0
    (tmp_path / "hccn_tool.calls").unlink()
    monkeypatch.setattr(hccn, "BUSY_TRIES", 2)
    assert hccn.call([tool], 5) == (1, "hccn_tool is busy, please try again.\n")


def test_a_tool_that_hangs_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hccn, "SECONDS", 0.2)
    card = hccn.ask(write_tool(tmp_path, "exec sleep 20"), 3)
    assert card["error"].startswith("-ip -g ended with code 124: no answer within")


def test_all_devices_together_have_a_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hccn, "ALL_SECONDS", -1)
    cards = hccn.ask_all(write_tool(tmp_path, "exit 1"), [0, 1])
    assert {card["error"] for card in cards.values()} == {"not asked: the others took -1 s"}


def test_the_file_is_described_without_following_a_link(tmp_path: Path) -> None:
    file = tmp_path / "hccn.conf"
    assert hccn.config(str(file))["kind"] == ""
    file.write_text("# ours\naddress_0 = 10.1.0.1\nbitmap_0=0 0 0 0 1 0 0 0\naddress_x=1\naddress_0=10.1.0.2\n")
    file.chmod(0o640)
    found = hccn.config(str(file))
    assert (found["kind"], found["mode"], found["values"]) == ("file", "0640", {"address_0": "10.1.0.2"})
    (tmp_path / "link").symlink_to(file)
    assert hccn.config(str(tmp_path / "link"))["kind"] == "link"


def test_a_record_that_is_spoilt_is_no_record(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text("[")
    assert hccn.record(str(file)) == {"originals": {}, "written": {}, "created": False}


def card(address: str = "10.20.0.1", **more: Any) -> dict[str, Any]:
    healthy = {"link": "UP", "health": "Init", "tls": "off", "certificates": False, "error": ""}
    return {
        "address": address,
        "netmask": "255.255.255.0",
        "gateway": "10.20.0.254",
        "netdetect": "",
        **healthy,
        **more,
    }


def drift(conf: str, cards: dict[str, Any], tls: str = "", **more: Any) -> list[dict[str, Any]]:
    config = {"path": "/etc/hccn.conf", "kind": "file", "owner": "root", "mode": "0644", "values": hccn.values(conf)}
    found = {"config": {**config, **more.get("config", {})}, "record": hccn.record(os.devnull), "cards": cards}
    facts = {
        "npu_network": {**found, **more.get("found", {})},
        "holders": more.get("holders", []),
        "npu_driver": {"running": more.get("running", "25.5.1")},
    }
    return compare_npu_network.compare({"devices": DEVICES, "tls": tls}, facts)


RIGHT = {"0": card(), "1": card("10.20.0.2")}


def test_what_is_right_is_no_drift_and_neither_is_ill_health() -> None:
    assert drift(CONF, RIGHT) == []
    assert drift(CONF, {"0": card(link="DOWN"), "1": card("10.20.0.2", health="Receive timeout")}) == []
    assert drift(CONF, {}, running=None) == []


def test_file_and_cards_are_compared_apart() -> None:
    (first,) = drift(CONF.replace("address_1=10.20.0.2", "address_1=10.20.0.9"), {"0": card(), "1": card("10.20.0.9")})
    assert (first["what"], first["from"], first["to"]) == ("address in hccn.conf", "1: 10.20.0.9", "1: 10.20.0.2")
    assert first["detail"] == {"devices": [1]}
    (second,) = drift(CONF, {"0": card(gateway=""), "1": card("10.20.0.2")})
    assert (second["what"], second["from"]) == ("gateway on the cards", None)
    assert second["reason"].startswith("configured but not applied")


def test_a_bare_host_has_one_item_for_each_kind_of_line() -> None:
    items = drift("", {}, running=None, config={"kind": "", "mode": "", "owner": ""})
    assert [entry["what"].split()[0] for entry in items] == ["address", "netmask", "gateway"]
    assert {entry["from"] for entry in items} == {None}
    assert items[0]["reason"] == "there is no /etc/hccn.conf"


def test_a_change_says_which_of_our_services_it_stops() -> None:
    holders = [{"kind": "container", "name": "provision-chat"}, {"kind": "container", "name": "stranger"}]
    (entry,) = drift(CONF, {"0": card(), "1": card("10.20.0.7")}, holders=holders)
    assert entry["stops"] == ["provision-chat"]


def test_the_tls_switch_is_drift_only_where_the_site_wants_one() -> None:
    cards = {"0": card(tls="on"), "1": card("10.20.0.2")}
    assert drift(CONF, cards) == []
    (entry,) = drift(CONF, cards, tls="off")
    assert (entry["what"], entry["from"], entry["to"]) == ("TLS switch", "on (device 0)", "off")


def test_a_link_in_place_of_the_file_hides_everything_else() -> None:
    (entry,) = drift("", {}, config={"kind": "link"})
    assert (entry["what"], entry["from"], entry["to"]) == ("hccn.conf", "a symbolic link", "a plain file")


def test_permissions_are_compared() -> None:
    (entry,) = drift(CONF, RIGHT, config={"mode": "0600"})
    assert (entry["what"], entry["from"], entry["to"]) == ("hccn.conf mode", "0600 of root", "0644 of root")


def test_a_silent_device_is_drift_only_while_a_driver_runs() -> None:
    cards = {"0": card(), "1": card("", error="-ip -g ended with code 124: no answer within 10 s")}
    (entry,) = drift(CONF, cards)
    assert (entry["what"], "device 1" in entry["from"]) == ("answer of the ports", True)
    assert drift(CONF, cards, running=None) == []


def test_what_the_site_no_longer_says_goes_back() -> None:
    known = {"originals": {"gateway_7": "10.9.0.1", "address_7": None}, "created": False}
    known["written"] = {"gateway_7": "10.20.0.254", "address_7": "10.20.0.8"}
    left = CONF + "\ngateway_7=10.20.0.254\naddress_7=10.20.0.99"
    (entry,) = drift(left, RIGHT, found={"record": known})
    assert entry["what"] == "left in hccn.conf"
    # the address was changed by somebody else since, so it is his
    assert (entry["from"], entry["to"]) == ("gateway_7=10.20.0.254", "gateway_7=10.9.0.1")


def test_health_is_init_only_without_an_address_to_check_with() -> None:
    checking = [{**DEVICES[0], "netdetect": "10.20.0.254"}, DEVICES[1]]
    cards = {"0": card(health="Init"), "1": card("10.20.0.2", health="Init")}
    assert hccn.ill(checking, cards) == {0: "net health Init"}
    assert hccn.ill(DEVICES, {"0": card(link="DOWN"), "1": card(health="Success")}) == {0: "link DOWN"}
