"""The site as it is now: what the cards are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driver.fleet import Fleet
from driver.status import status

from .conftest import seen

FACTS = {
    "npu_driver": {"installed": "25", "running": "25"},
    "npu_firmware": {"installed": "7", "running": "7"},
    "docker": {"installed": False},
    "reboot": {"pending": False},
}


@pytest.mark.parametrize(
    ("product", "said"),
    [
        ("Server 9", "0 of 0 healthy, 8 x Server 9"),
        (None, "0 of 0 healthy, 8 x generation A9, product unknown (19e5:9999): goes on"),
    ],
)
def test_cards_stand_beside_their_health(product: str | None, said: str, fleet: Fleet) -> None:
    observed = seen({"node1": {}})
    products = [{"subsystem": "19e5:9999", "product": product, "count": 8}]
    observed.docs["node1"]["facts"] = {**FACTS, "npu": {"smi": None, "products": products}}
    found = status(replace(fleet, hosts=(replace(fleet.hosts[0], generation="A9"),)), observed)
    assert said in found.text(0)
