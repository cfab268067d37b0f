"""Which chips this driver serves, and what is on the bus: pure functions over the package's family.json.

A function on the bus is a chip. A card carries one or two of them; npu-smi names the card first, then the chip in it.
"""

from __future__ import annotations

import json
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Chip = dict[str, Any]

PCI = Path("/sys/bus/pci/devices")
VENDOR = "0x19e5"
FAMILY_FILE = Path(__file__).parent / "family.json"
CONTROL = ("davinci_manager", "devmm_svm", "hisi_hdc")


def family() -> dict[str, Any]:
    """Return what the package says about its chips."""
    found: dict[str, Any] = json.loads(FAMILY_FILE.read_text(encoding="utf-8"))
    return found


def control_nodes() -> list[str]:
    """Return the nodes beside those of the chips, the manager first."""
    return ["/dev/" + name for name in family()["chips"].get("control", CONTROL)]


def bus(devices: list[str]) -> list[dict[str, str]]:
    """Return the functions on the bus with one of the ids *devices*, in order of their address."""
    found = []
    for folder in sorted(PCI.iterdir()) if PCI.is_dir() else []:
        ids = {}
        for name in ("vendor", "device", "subsystem_vendor", "subsystem_device"):
            try:
                ids[name] = (folder / name).read_text(encoding="utf-8").strip().lower()
            except OSError:
                ids[name] = ""
        if ids["vendor"] == VENDOR and ids["device"] in devices:
            ids["bus_id"] = folder.name.upper()
            found.append(ids)
    return found


def product_of(facts: dict[str, Any], function: dict[str, str]) -> dict[str, Any]:
    """Return what *facts*, a family, says about the product with the subsystem of *function*."""
    key = "{}:{}".format(function["subsystem_vendor"][2:], function["subsystem_device"][2:])
    return {**facts["chips"], **facts["products"].get(key, facts["products"]["*"])}


def npu_id(product: dict[str, Any], named: list[int], card: int) -> int:
    """Return what npu-smi calls card number *card*; *named* stands instead of the product's own names."""
    ids = named or product.get("npu_ids", [])
    return int(ids[card]) if card < len(ids) else card


def chips(facts: dict[str, Any], functions: list[dict[str, str]], named: list[int]) -> list[Chip]:
    """Return the chips behind *functions*: index (the node's number), npu and chip (its place), name and memory."""
    found = []
    for index, function in enumerate(functions):
        product = product_of(facts, function)
        card, place = divmod(index, product.get("chips_per_card", 1))
        found.append(
            {
                **function,
                "index": index,
                "npu": npu_id(product, named, card),
                "chip": place,
                "chips_per_card": product.get("chips_per_card", 1),
                "product": product["chip"],
                "hbm_mb": product["hbm_mb"],
            }
        )
    return found
