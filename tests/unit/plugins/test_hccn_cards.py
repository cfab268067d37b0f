"""Cards that take their addresses, or do not: what the tool says, what the cards show, and what the operator reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import hccn_cards
from plugins.module_utils.converge.errors import RefusedError
from plugins.module_utils.converge.hccn_cards import Ports
from plugins.modules.hccn_cards import differences

MASK = "255.255.255.0"


def device(number: int) -> dict[str, Any]:
    return {"device": number, "address": f"10.20.0.{number + 1}", "netmask": MASK, "gateway": "", "netdetect": ""}


class Cards:
    """A vendor's tool for three cards: what they have, which of them refuse, and what it was called with."""

    def __init__(self, count: int = 3) -> None:
        self.now: dict[int, dict[str, str]] = {number: {} for number in range(count)}
        self.tls = dict.fromkeys(range(count), "0")
        self.certified = False
        self.stubborn: set[int] = set()
        self.silent: set[int] = set()
        self.lies = False
        self.calls: list[str] = []

    def call(self, argv: list[str], _seconds: float) -> tuple[int, str]:
        words = argv[1:]
        if words[-1] != "-g":
            self.calls.append(" ".join(words))
        if words[-1] == "recovery":
            return self.recover(list(self.now) if words[0] == "-a" else [int(words[1])], everyone=words[0] == "-a")
        number = int(words[1])
        if number in self.silent:
            return 1, "hccn_tool initialize failed, ret is -8005"
        if words[-2] == "enable":
            if words[-1] == "1" and not self.certified:
                return 1, "No certificate found, please set certs firstly!"
            self.tls[number] = words[-1]
            return 0, "Cmd executed successfully!"
        return self.answer(number, words[2])

    def recover(self, numbers: list[int], *, everyone: bool) -> tuple[int, str]:
        bad = [number for number in numbers if number in self.stubborn]
        for number in numbers:
            if number not in bad:
                self.now[number] = {"address": f"10.20.0.{number + 1}", "netmask": MASK}
        if not bad or self.lies:
            return 0, "Cmd executed successfully!"
        lines = [f"dev:{number} recovery {'fail' if number in bad else 'success'}" for number in numbers]
        return 1, "\n".join([*(lines if everyone else []), "Command execute failed!"])

    def answer(self, number: int, question: str) -> tuple[int, str]:
        port = self.now[number]
        if question == "-ip":
            text = (
                f"ipaddr:{port['address']}\nnetmask:{port['netmask']}"
                if port
                else "Get ip failed, because no ip was preset there!"
            )
            return (0 if port else 1), text
        certificates = "\n[pub cert] info:" if self.certified else ""
        answers = {
            "-gateway": "Get gateway failed, because no gateway was preset there!",
            "-netdetect": "netdetect address: 0.0.0.0",
            "-link": "link status: UP",
            "-net_health": "net health status: Init",
            "-tls": f"tls switch[{self.tls[number]}]{certificates}",
        }
        return 0, answers[question]


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Cards:
    found = Cards()
    monkeypatch.setattr(hccn_cards.hccn, "call", found.call)
    return found


def ports(tmp_path: Path, tls: str = "") -> Ports:
    log = tmp_path / "hccn_config.log"
    log.write_text("recover [address] of phy_id[1] failed, ret=-22\n" + "fine\n" * 9, encoding="utf-8")
    return Ports("hccn_tool", [device(number) for number in range(3)], tls, "/etc/hccn.conf", str(log))


def test_all_cards_are_recovered_with_one_call_and_single_ones_one_by_one(tmp_path: Path, cards: Cards) -> None:
    ports(tmp_path).recover([0, 1, 2])
    cards.now[1] = {}
    ports(tmp_path).recover([1])
    assert cards.calls == ["-a -cfg recovery", "-i 1 -cfg recovery"]


def test_a_card_that_fails_is_named_with_the_log_and_the_good_ones_too(tmp_path: Path, cards: Cards) -> None:
    cards.stubborn = {1}
    with pytest.raises(RefusedError) as caught:
        ports(tmp_path).recover([0, 1, 2])
    text = str(caught.value)
    assert "/etc/hccn.conf is as the site wants it, but 1 of 3 devices did not take it: device 1: " in text
    assert "address is not set, expected 10.20.0.2" in text
    assert "(hccn_tool -a -cfg recovery ended with code 1)" in text
    assert "Taken by: 0, 2." in text
    assert "hccn_config.log says:\nrecover [address] of phy_id[1] failed, ret=-22" in text
    assert cards.now[2]["address"] == "10.20.0.3"


def test_one_card_that_fails_alone_is_named(tmp_path: Path, cards: Cards) -> None:
    cards.stubborn = {1}
    with pytest.raises(
        RefusedError, match=r"1 of 1 devices .* device 1: .*hccn_tool -i 1 -cfg recovery ended with code 1"
    ):
        ports(tmp_path).recover([1])


def test_success_without_addresses_is_found_out(tmp_path: Path, cards: Cards) -> None:
    cards.stubborn, cards.lies = {2}, True
    with pytest.raises(RefusedError, match=r"device 2: address is not set, .* \(the tool reported success\)"):
        ports(tmp_path).recover([0, 1, 2])


def test_a_card_that_fails_though_its_addresses_are_there_is_named(tmp_path: Path, cards: Cards) -> None:
    ports(tmp_path).recover([0, 1, 2])
    cards.stubborn = {0}
    with pytest.raises(RefusedError, match="device 0: its addresses are there"):
        ports(tmp_path).recover([0])


def test_a_silent_card_is_named(tmp_path: Path, cards: Cards) -> None:
    cards.silent = {2}
    with pytest.raises(RefusedError, match=r"says nothing of device 2: -ip -g ended with code 1: .*-8005\. Expected"):
        ports(tmp_path).look([0, 1, 2], "ip")


def test_tls_is_turned_off_where_it_is_on(tmp_path: Path, cards: Cards) -> None:
    cards.tls[1] = "1"
    wanted = ports(tmp_path, "off")
    found = wanted.look([0, 1, 2], "tls")
    assert wanted.switch(found) == [1]
    wanted.turn([1], found)
    assert cards.calls == ["-i 1 -tls -s enable 0"]


def test_tls_goes_on_with_certificates_only(tmp_path: Path, cards: Cards) -> None:
    wanted = ports(tmp_path, "on")
    with pytest.raises(
        RefusedError, match=r"no certificates on device 0, 1, 2, expected some .* nowhere\. Put certificates on"
    ):
        wanted.turn([0, 1, 2], wanted.look([0, 1, 2], "tls"))
    assert cards.calls == []
    cards.certified = True
    wanted.turn([0, 1, 2], wanted.look([0, 1, 2], "tls"))
    assert wanted.switch(wanted.look([0, 1, 2], "tls")) == []


def test_ill_ports_are_waited_for_and_then_said(tmp_path: Path, cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hccn_cards, "POLL_SECONDS", 0.01)
    assert ports(tmp_path).wait(0) == []
    good = cards.answer
    down = {"-link": "link status: DOWN"}
    monkeypatch.setattr(
        cards, "answer", lambda number, asked: (0, down[asked]) if asked in down else good(number, asked)
    )
    assert ports(tmp_path).wait(0.05) == [f"device {number}: link DOWN" for number in range(3)]


def test_only_what_may_differ_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []
    wanted = ports(tmp_path)
    monkeypatch.setattr(wanted, "look", lambda numbers, *_: asked.append(numbers) or {})
    assert differences(wanted, [0, 1, 2], "/usr/local/Ascend") == ([0, 1, 2], [], {})
    assert asked == [[]]
