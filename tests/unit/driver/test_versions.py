"""Versions are compared by value."""

from __future__ import annotations

import itertools

from driver.versions import key, within

RISING = [
    "7.5.0.1.129",
    "7.7.t20.0.b200",
    "7.8.0.6.201",
    "24.1.rc1",
    "24.1.rc3",
    "24.1",
    "24.1.0.post1",
    "25.0.rc1.b080",
    "25.0",
    "25.5",
    "25.5.1",
    "25.10",
    "v26.1.0",
]


def test_order() -> None:
    assert sorted(sorted(RISING), key=key) == RISING
    assert all(key(low) < key(high) for low, high in itertools.pairwise(RISING))


def test_a_leading_v_and_case_say_nothing() -> None:
    assert key("v0.8.4RC2") == key("0.8.4rc2")


def test_ranges_include_their_start_only() -> None:
    assert within("0.9.0", "0.9.0", "0.10.0")
    assert not within("0.10.0", "0.9.0", "0.10.0")
    assert within("0.23.0", None, None)
    assert not within("0.9.0rc1", "0.9.0", None)
