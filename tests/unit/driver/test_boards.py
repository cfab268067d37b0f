"""Which card a PCI function is: the generation by its device id, the product by the quadruple, as the catalog says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from driver import catalog, paths
from driver.cards import cards
from driver.catalog_models import Accelerator
from driver.fleet import FleetHost
from plugins.module_utils.state import npu

ACCELERATORS = catalog.load(paths.CATALOG).accelerators
# vendor:device, subsystem, the package's family, a word of the product's name: what the vendor's own deployers know
KNOWN = [
    ("19e5:d105", "0200:0100", "310b", "200I A2"),
    ("19e5:d107", "0000:0000", "310b", "200I A2"),
    ("19e5:d500", "0200:0100", "310p", "300I Pro"),
    ("19e5:d500", "0200:0110", "310p", "300I Duo"),
    ("19e5:d801", "0200:0100", "910", "300T"),
    *(
        ("19e5:d802", pair, "910b", "A900T")
        for pair in ("0200:0100", "19e5:3000", "19e5:3001", "19e5:3003", *(f"19e5:340{last}" for last in range(4)))
    ),
    *(("19e5:d802", f"19e5:300{last}", "910b", "800I A2") for last in (2, 4, 5)),
    ("19e5:d802", "19e5:4000", "910b", "300I A2"),
    ("19e5:d802", "19e5:6000", "910b", "300T A2"),
    *(("19e5:d803", f"19e5:300{last}", "a3", "900 A3 Pod") for last in (0, 1, 2)),
    *(("19e5:d803", pair, "a3", "800I A3") for pair in ("19e5:0100", "19e5:3003")),
]


def of_device(device: str) -> list[Accelerator]:
    return [entry for entry in ACCELERATORS.values() if device in entry.pci_ids]


@pytest.mark.parametrize(("device", "pair", "family", "word"), KNOWN, ids=str)
def test_a_quadruple_is_its_product(device: str, pair: str, family: str, word: str) -> None:
    (entry,) = of_device(device)
    assert entry.package_family == family
    (found,) = npu.products([{"id": device, "subsystem": pair}] * 3, list(entry.pci_ids), dict(entry.boards))
    assert found["count"] == 3
    assert word in found["product"]


def test_a_device_id_is_one_generation_only() -> None:
    ids = [device for entry in ACCELERATORS.values() for device in entry.pci_ids]
    assert len(ids) == len(set(ids))


def test_the_catalog_lists_no_board_beyond_those_that_are_known() -> None:
    listed = {(device, pair) for entry in ACCELERATORS.values() for device in entry.pci_ids for pair in entry.boards}
    known = {(device, pair) for device, pair, _, _ in KNOWN}
    # a family with two device ids has its boards for both
    twins = {
        (device, pair)
        for entry in ACCELERATORS.values()
        for device in entry.pci_ids
        for pair in entry.boards
        if len(entry.pci_ids) > 1
    }
    assert listed - twins <= known
    assert known <= listed


@pytest.mark.parametrize("entry", ACCELERATORS.values(), ids=lambda entry: entry.name)
def test_an_unknown_board_of_a_known_generation_works_and_is_named(entry: Accelerator) -> None:
    functions = [{"id": entry.pci_ids[0], "subsystem": "19e5:ffff"}] * 2
    found = npu.products(functions, list(entry.pci_ids), dict(entry.boards))
    host = cast("FleetHost", SimpleNamespace(generation=entry.generation))
    document: dict[str, Any] = {"facts": {"npu": {"products": found}}}
    assert cards(host, document) == [f"2 x generation {entry.generation}, product unknown (19e5:ffff): goes on"]


def test_known_products_are_counted_and_named() -> None:
    products = [
        {"subsystem": "19e5:3004", "product": "Atlas 800I A2", "count": 8},
        {"subsystem": "19e5:4000", "product": "Atlas 300I A2", "count": 1},
    ]
    host = cast("FleetHost", SimpleNamespace(generation="A2"))
    assert cards(host, {"facts": {"npu": {"products": products}}}) == ["8 x Atlas 800I A2", "1 x Atlas 300I A2"]
    assert cards(host, {}) == []


@pytest.mark.parametrize(
    ("family", "chips", "rule"),
    [
        ("910", 1, "four-subnets"),
        ("910b", 1, "one-subnet"),
        ("a3", 2, "split-cards"),
        ("310p", 1, None),
        ("310b", 1, None),
    ],
)
def test_families_have_their_chips_per_card_and_their_rule(family: str, chips: int, rule: str | None) -> None:
    (entry,) = (entry for entry in ACCELERATORS.values() if entry.package_family == family)
    assert entry.chips_per_card == chips
    assert (entry.network.rule if entry.network else None) == rule
