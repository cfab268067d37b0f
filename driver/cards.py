"""What cards a host has, as a person calls them: the product by the ids of its boards, or the generation alone."""

from __future__ import annotations

from typing import Any

from driver.fleet import FleetHost


def cards(host: FleetHost, document: dict[str, Any]) -> list[str]:
    """Return one text per product in what *host* said; none where the bus showed no card."""
    products = document.get("facts", {}).get("npu", {}).get("products", [])
    return [_text(host, entry) for entry in products]


def _text(host: FleetHost, entry: dict[str, Any]) -> str:
    count = entry["count"]
    if entry["product"]:
        return f"{count} x {entry['product']}"
    return f"{count} x generation {host.generation}, product unknown ({entry['subsystem']}): goes on"
