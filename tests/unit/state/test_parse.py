"""Answers of tools and services as they were seen or are documented, one file per case."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from plugins.module_utils.state import grpc, http, protobuf, ray, versions

CASES = sorted((Path(__file__).parent / "cases" / "parse").glob("*.json"))


@pytest.mark.parametrize("file", CASES, ids=lambda path: path.stem)
def test_an_answer_is_understood(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    module, function = case["function"].split(".")
    found = getattr(importlib.import_module(f"plugins.module_utils.state.{module}"), function)(*case["arguments"])
    assert (list(found) if isinstance(found, tuple) else found) == case["result"]


def test_a_list_of_models_without_data_is_refused() -> None:
    from plugins.module_utils.state import services  # noqa: PLC0415

    with pytest.raises(http.HttpError, match="not understood"):
        services.model_names({"error": "x"})


@pytest.mark.parametrize(
    ("older", "newer"),
    [("25.0.rc1", "25.0"), ("25.0", "25.0.1"), ("7.5.0.1.129", "7.5.0.1.130"), ("9.0", "10.0"), ("25.0", "25.0.sph1")],
)
def test_versions_are_compared_by_value(older: str, newer: str) -> None:
    assert versions.is_older(older, newer)
    assert not versions.is_older(newer, older)
    assert versions.is_same("v26.1.0", "26.1.0")
    assert not versions.is_same(None, None)


def text(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | protobuf.LENGTH, len(value)]) + value


def resources(field: int, name: str, raw: bytes) -> bytes:
    return text(field, text(1, name.encode()) + bytes([2 << 3 | protobuf.FIXED64]) + raw)


ONE, TWO = b"\0\0\0\0\0\0\xf0?", b"\0\0\0\0\0\0\0@"


def test_rays_usage_is_added_up_over_its_nodes() -> None:
    node = text(1, b"id") + resources(ray.TOTAL, "NPU", TWO) + resources(ray.TOTAL, "CPU", ONE)
    busy = text(ray.BATCH, node)
    half = text(ray.BATCH, node + resources(ray.AVAILABLE, "NPU", ONE))
    reply = text(ray.REPLY_STATUS, b"") + text(ray.REPLY_USAGE, busy + half)
    assert ray.parse_usage(reply, "NPU") == {"npu_total": 4.0, "npu_used": 3.0, "nodes": 2, "error": ""}


@pytest.mark.parametrize(
    "reply",
    [b"", text(1, b""), text(1, b"\x08\x03") + text(2, b""), b"\x12\x7f", b"\x0b", b"\xff"],
    ids=["empty", "no_usage", "error_status", "broken_off", "unknown_wire_type", "half_a_number"],
)
def test_rays_answer_that_is_not_understood_is_refused(reply: bytes) -> None:
    with pytest.raises(ValueError):
        ray.parse_usage(reply, "NPU")


def test_a_method_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(grpc.GrpcError, match="too long"):
        grpc._text("x" * 200)
