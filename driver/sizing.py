"""How much memory a model takes on a card; pure arithmetic, sizes in bytes unless a name says otherwise.

The rules are vLLM's: utilization x HBM is the budget of a process; weights, activations and the KV cache share it, and
the cache must hold at least one sequence of the longest length, or the engine refuses to start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from driver.catalog_models import Model
from driver.site import Parallel

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Card:
    """What the engine may use of a card: *utilization* (0 to 1) of its memory, less *reserve_mib* for start-up."""

    hbm_mib: int
    utilization: float
    reserve_mib: int


@dataclass(frozen=True, slots=True)
class Fit:
    """What one card holds: budget = weights + reserve + cache.

    *token* is the cache of one token, *longest* the largest max_model_len in tokens; without cache nothing fits.
    """

    hbm: int
    budget: int
    weights: int
    reserve: int
    cache: int
    token: int
    longest: int


def weights_per_card(model: Model, cut: Parallel) -> int:
    """Return the bytes of weights on one card when both kinds of parallelism cut the model evenly."""
    return math.ceil(model.architecture.parameters * model.bytes_per_parameter / (cut.tensor * cut.pipeline))


def cache_per_token(model: Model, cut: Parallel) -> int:
    """Return the bytes of KV cache that one token takes on one card.

    Keys and values of the card's layers and heads; with more cards than KV heads every card holds a whole head.
    """
    shape = model.architecture
    heads = max(1, math.ceil(shape.kv_heads / cut.tensor))
    return 2 * math.ceil(shape.layers / cut.pipeline) * heads * shape.head_dim * model.cache_bytes


def fit(model: Model, cut: Parallel, card: Card) -> Fit:
    """Return how *model* fits on each of the cards that share it."""
    hbm = card.hbm_mib * MIB
    budget = int(hbm * card.utilization)
    weights = weights_per_card(model, cut)
    reserve = card.reserve_mib * MIB
    cache = budget - weights - reserve
    token = cache_per_token(model, cut)
    return Fit(hbm, budget, weights, reserve, cache, token, longest=max(0, cache // token))


def gib(size: float) -> str:
    """Return *size* in GiB with one digit, as messages show it."""
    return f"{size / GIB:.1f} GiB"
