"""Scripts of the cards over real footage, and the questions about them; longer footage gets more cards.

Cards come in hands of about ten, each with its share of the questions of every family. There are no fillers: between
two cards there is only the footage.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Final

import numpy as np

from longpanda.errors import ConfigError, counted
from longpanda.longwatch.events import Event
from longpanda.longwatch.gallery import (
    CARD_DWELL,
    CHAIN_CARDS,
    LISTED,
    LISTINGS,
    card_track,
    draw_crossings,
    draw_listings,
)
from longpanda.longwatch.scene import Topic
from longpanda.longwatch.script import Level, Script, Track
from longpanda.longwatch.world import NUMBERS, TITLES

FOOTAGE_FAMILIES: Final = ("needle", "order", "multikey", "chain", "sequence", "grounding")
"""The families whose questions are about cards alone."""
MOST_HANDS: Final = 4
"""There are not enough titles for more."""
MOST_NEEDLES: Final = 20
SHARE: Final = 0.5
"""Largest share of the footage that shows cards, if they were shown one after the other."""
NEEDLES_PER_HAND, CROSSED, LISTINGS_PER_HAND = 2.5, 4, LISTINGS // 2
_NAMESPACE: Final = 0xF007


def hands_for(duration_seconds: float, level: Level, needles: int = 0) -> int:
    """Return the number of hands of cards for footage: as many as take up half of it at most, but at least 1.

    Args:
        duration_seconds: duration of the footage.
        level: how long cards are visible.
        needles: number of needles, or 0 for the default.
    """
    hands, room = 1, SHARE * duration_seconds / (level.dwell_seconds * sum(CARD_DWELL) / len(CARD_DWELL))
    for more in range(2, MOST_HANDS + 1):
        shown = (needles or _needles(more)) + more * (CROSSED + CHAIN_CARDS)
        if shown <= room and shown + 2 * ceil(more / 2) <= len(TITLES):
            hands = more
    return hands


def deck(seed: int, level: Level, hands: int, needle_depths: Sequence[float] = ()) -> Script:
    """Draw the script of the cards of one video. The same arguments give the same script.

    `needle`, `chain`, `multikey` and `grounding` each ask about titles that are never shown: half as many as there are
    hands. If the number of hands is odd, that half is rounded up or down at random.

    Args:
        seed: from `splits.scene_seed`.
        level: how fast things happen.
        hands: number of hands, from `hands_for`.
        needle_depths: where the needles start, as shares of the video; by default they are spread evenly.

    Raises:
        ConfigError: the depths are outside 0 to 1, not increasing, too many, or closer together than the cards.
    """
    rng = np.random.Generator(np.random.PCG64((_NAMESPACE, seed)))
    crossings = draw_crossings(rng, hands)
    crossed = {title for group in crossings for title in group}
    free = [title for title in rng.permutation(TITLES).tolist() if title not in crossed]
    needles, free = _cut(free, len(needle_depths) or _needles(hands))
    chained, free = _cut(free, hands * CHAIN_CARDS)
    chains = [chained[start : start + CHAIN_CARDS] for start in range(0, len(chained), CHAIN_CARDS)]
    absent = hands // 2 + int(rng.integers(1 + hands % 2))
    no_needles, no_chains = free[:absent], free[absent : 2 * absent]
    missing = [group[-1] for group in crossings[hands - absent :]]
    keys = [title for group in crossings for title in group if title not in missing]
    _check_depths(needle_depths, len(needles) + len(keys) + len(chained))
    cards = _pinned(card_track(rng, level, needles, keys, chains, needle_depths), needle_depths)
    timed = rng.permutation(keys if needle_depths else [*needles, *keys]).tolist()
    topics = [
        *(Topic("needle", title, 1 / len(NUMBERS)) for title in [*needles, *no_needles]),
        *(Topic("multikey", title, 1 / len(NUMBERS)) for group in crossings for title in group),
        *(Topic("chain", title, 1 / len(NUMBERS)) for chain in chains for title in chain[:-1]),
        *(Topic("chain", title, 1 / len(NUMBERS)) for title in no_chains),
        *draw_listings(rng, cards, "order", 2, hands * LISTINGS_PER_HAND),
        *draw_listings(rng, cards, "sequence", LISTED, hands * LISTINGS_PER_HAND),
        *(Topic("grounding", title, 0.0) for title in [*timed[: _needles(hands)], *missing]),
    ]
    return Script(seed, "gallery", level, (cards,), tuple(topics), _nothing)


def _needles(hands: int) -> int:
    return ceil(hands * NEEDLES_PER_HAND)


def _cut(titles: list[str], count: int) -> tuple[list[str], list[str]]:
    return titles[:count], titles[count:]


def _check_depths(depths: Sequence[float], cards: int) -> None:
    """Raise ConfigError unless every needle has a place of its own among the cards."""
    if len(depths) > MOST_NEEDLES or not all(0 <= depth <= 1 for depth in depths):
        raise ConfigError(f"depths {depths}", f"up to {MOST_NEEDLES} shares from 0 to 1", "change --depths")
    least = 1 / (cards - 1)
    if any(other - one <= least for one, other in pairwise(depths)):
        found = f"depths {depths} among {counted(cards, 'card')}"
        raise ConfigError(found, f"increasing by more than {least:.3f}", "give fewer --depths, or use longer footage")


def _pinned(cards: Track, depths: Sequence[float]) -> Track:
    """Move the needles exactly to their depths, and keep the cards between them in order."""
    moved = np.array(cards.depths)
    last = len(moved) - 1
    for depth in depths:
        index = round(depth * last)
        moved[:index] = np.minimum(moved[:index], depth)
        moved[index:] = np.maximum(moved[index:], depth)
        moved[index] = depth
    return replace(cards, depths=tuple(moved.tolist()))


def _nothing(rng: np.random.Generator, events: list[Event], horizon_seconds: float) -> list[Event]:  # noqa: ARG001
    """Draw no filler: between the cards there is the footage."""
    return []
