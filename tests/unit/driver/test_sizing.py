"""Memory arithmetic against the worked numbers of the fact sheets."""

from __future__ import annotations

import pytest

from driver import catalog, sizing
from driver.site import Parallel

MODELS = catalog.load().models
LARGE, SMALL = MODELS["qwen3-235b-a22b"], MODELS["qwen2.5-7b-instruct"]


@pytest.mark.parametrize(("cards", "expected"), [(16, 27.4), (8, 54.7)])
def test_weights_per_card(cards: int, expected: float) -> None:
    assert sizing.weights_per_card(LARGE, Parallel(tensor=cards)) / sizing.GIB == pytest.approx(expected, abs=0.05)


def test_pipeline_cuts_weights_like_tensor() -> None:
    assert sizing.weights_per_card(LARGE, Parallel(tensor=8, pipeline=2)) == sizing.weights_per_card(
        LARGE, Parallel(tensor=16)
    )


def test_cache_of_a_token() -> None:
    assert sizing.cache_per_token(SMALL, Parallel()) == 56 * 1024
    assert sizing.cache_per_token(LARGE, Parallel()) == 188 * 1024


def test_more_cards_than_heads_repeat_a_head() -> None:
    assert (
        sizing.cache_per_token(LARGE, Parallel(tensor=4))
        == sizing.cache_per_token(LARGE, Parallel(tensor=16))
        == 47 * 1024
    )


def test_longest_length_of_a_small_card() -> None:
    room = sizing.fit(SMALL, Parallel(), sizing.Card(hbm_mib=32768, utilization=0.9, reserve_mib=2048))
    assert room.cache / sizing.GIB == pytest.approx(12.6, abs=0.05)
    assert room.longest == room.cache // room.token > 26240


def test_nothing_is_left() -> None:
    room = sizing.fit(LARGE, Parallel(tensor=4), sizing.Card(hbm_mib=65536, utilization=0.95, reserve_mib=2048))
    assert room.cache < 0
    assert room.longest == 0
