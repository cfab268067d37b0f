"""Bring the ports of the chips to what hccn.conf says, and their TLS switch to what the site wants; look at the result.

The tool ends with code 1 when one device of eight failed, so every device is looked at by itself.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, Dict, List

from ..state import hccn
from .errors import RefusedError
from .installer import tail

RECOVERY_SECONDS = 120.0
POLL_SECONDS = 2.0
LOG_LINES = 60
SHOWN_LINES = 2
_TELLING = re.compile(r"fail|error|doesn't|conflict", re.IGNORECASE)
_FAILED = re.compile(r"\bdev:(\d+) recovery fail")
_SWITCH = {"off": "0", "on": "1"}
Cards = Dict[str, Dict[str, Any]]


@dataclass
class Ports:
    """The ports of one host: the vendor's tool, and what the site wants of them."""

    tool: str
    devices: List[Dict[str, Any]]
    tls: str
    config_path: str
    log_path: str

    @property
    def numbers(self) -> List[int]:
        """Return the numbers of all devices."""
        return [entry["device"] for entry in self.devices]

    def look(self, numbers: List[int], *questions: str) -> Cards:
        """Return what *numbers* say to *questions*; an answer costs time. Raises RefusedError when one is silent."""
        cards: Cards = hccn.ask_all(self.tool, numbers, questions)
        silent = ["device %s: %s" % (number, card["error"]) for number, card in cards.items() if card["error"]]
        if silent:
            raise RefusedError(
                "the tool %s says nothing of %s. Expected an answer of every device that site.yml has "
                "(hosts[].npu_network): see that the driver runs (npu-smi info), then run again"
                % (self.tool, "; ".join(silent))
            )
        return cards

    def recover(self, numbers: List[int]) -> None:
        """Let *numbers* take what the file says. Raises RefusedError with the devices that did not."""
        everyone = sorted(numbers) == sorted(self.numbers) and len(numbers) > 1
        calls = [["-a"]] if everyone else [["-i", "%d" % number] for number in numbers]
        faults = {}
        for words in calls:
            code, text = hccn.call([self.tool, *words, "-cfg", "recovery"], RECOVERY_SECONDS)
            if code:
                said = " ".join([self.tool, *words]) + " -cfg recovery ended with code %d" % code
                failed = [int(number) for number in _FAILED.findall(text)] or ([] if everyone else [int(words[1])])
                faults.update(dict.fromkeys(failed, said))
                if not failed:
                    faults.update({number: "%s: %s" % (said, _last(text)) for number in numbers})
        self._require(numbers, faults)

    def _require(self, numbers: List[int], faults: Dict[int, str]) -> None:
        """Look whether *numbers* have their addresses now: the tool's word alone is no proof in either direction."""
        cards = self.look(numbers, *hccn.ADDRESSES)
        wrong = hccn.differing(self.devices, cards)
        bad = [number for number in numbers if number in wrong or number in faults]
        if not bad:
            return
        wanted = {entry["device"]: entry for entry in self.devices}
        lines = []
        for number in bad:
            values = [
                "%s is %s, expected %s" % (kind, cards[str(number)][kind] or "not set", wanted[number][kind])
                for kind in wrong.get(number, [])
            ]
            said = faults.get(number, "the tool reported success")
            lines.append("device %d: %s (%s)" % (number, ", ".join(values) or "its addresses are there", said))
        good = ", ".join(str(number) for number in numbers if number not in bad)
        raise RefusedError(
            "%s is as the site wants it, but %d of %d devices did not take it: %s. Taken by: %s.\n%s says:\n%s\n"
            "Correct what the log names (the addresses stand in site.yml, hosts[].npu_network), then run again"
            % (self.config_path, len(bad), len(numbers), "; ".join(lines), good or "none", self.log_path, self._log())
        )

    def _log(self) -> str:
        """Return the last lines of the tool's log that say what failed; the others would hide them."""
        lines = tail(self.log_path, LOG_LINES).splitlines()
        telling = [line for line in lines if _TELLING.search(line)] or lines
        return "\n".join(telling[-SHOWN_LINES:]) or "(nothing)"

    def switch(self, cards: Cards) -> List[int]:
        """Return the devices whose TLS switch is not as wanted."""
        return [int(number) for number, card in cards.items() if self.tls and card["tls"] != self.tls]

    def turn(self, numbers: List[int], cards: Cards) -> None:
        """Turn the TLS switch of *numbers*; where certificates are missing none is turned. Raises RefusedError."""
        bare = [number for number in numbers if self.tls == "on" and not cards[str(number)]["certificates"]]
        if bare:
            raise RefusedError(
                "no certificates on device %s, expected some because site.yml says npu_tls: on; TLS was turned on "
                "nowhere. Put certificates on these devices (hccn_tool -i N -tls -s path ...), or write npu_tls: off, "
                "then run again" % ", ".join(map(str, bare))
            )
        for number in numbers:
            words = ["-i", "%d" % number, "-tls", "-s", "enable", _SWITCH[self.tls]]
            code, text = hccn.call([self.tool, *words], hccn.SECONDS)
            if code:
                raise RefusedError(
                    "device %d keeps its TLS switch: %s %s ended with code %d: %s. Expected %s (npu_tls in site.yml)"
                    % (number, self.tool, " ".join(words), code, _last(text), self.tls)
                )
        left = self.switch(self.look(self.numbers, "tls"))
        if left:
            raise RefusedError(
                "the TLS switch of device %s is still not %s, though the tool reported success. Expected what npu_tls "
                "in site.yml says: look at %s" % (", ".join(map(str, left)), self.tls, self.log_path)
            )

    def wait(self, seconds: float) -> List[str]:
        """Return the ports that are not healthy, waiting for them: a link takes a moment after a change."""
        limit = time.monotonic() + seconds
        while True:
            bad: Dict[int, str] = hccn.ill(self.devices, self.look(self.numbers, "link", "net_health"))
            if not bad or time.monotonic() > limit:
                return ["device %d: %s" % (number, why) for number, why in bad.items()]
            time.sleep(POLL_SECONDS)


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["nothing"])[-1].strip()[:200]
