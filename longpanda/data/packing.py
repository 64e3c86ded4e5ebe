"""Packs: records that share a row of a training batch, chosen from their lengths before anything is decoded.

The places of the mixture's order are cut into windows. Each window is packed by itself, so that its packs depend on
nothing but the order, the lengths, the budget and the window's number: training resumes at any pack with any number of
processes, without the state of an iterator.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapreplace
from typing import Final, Protocol

import numpy as np

from longpanda.data.order import MixtureOrder, Numbers, shuffled
from longpanda.errors import ConfigError, counted

WINDOW_PLACES: Final = 4096
"""Places of the order in a window: a longer one packs better and keeps packs farther from the order."""
_KEPT_WINDOWS: Final = 4


class TokenCounts(Protocol):
    """How many tokens each record takes."""

    @property
    def is_empty(self) -> bool:
        """Whether no record at all can be used."""

    def tokens(self, sources: Numbers, records: Numbers) -> Numbers:
        """Tokens of some records; 0 for one that cannot be used.

        Args:
            sources: int64 [N], the number of each record's source.
            records: int64 [N], the record's number among those of the source that are used.
        """


@dataclass(frozen=True)
class PackState:
    """Where a window begins; all that resuming needs besides the pack's index.

    Args:
        window: its number, from 0.
        first_pack: index of its first pack.
    """

    window: int = 0
    first_pack: int = 0


def best_fit(tokens: Numbers, budget: int) -> list[list[int]]:
    """Pack by best-fit decreasing: the longest first, each where the least room is left (Johnson 1973).

    Args:
        tokens: int64 [N], length of each item; items of 0 are left out.
        budget: most tokens of a pack.

    Returns:
        The items of each pack, in ascending order.

    Raises:
        ConfigError: an item is longer than the budget.
    """
    order = np.argsort(-tokens, kind="stable")
    order = order[tokens[order] > 0]
    if len(order) and tokens[order[0]] > budget:
        found = f"a record of {counted(int(tokens[order[0]]), 'token')}"
        raise ConfigError(found, f"at most {budget:,}, the budget of a pack", "plan lengths for this budget")
    packs: list[list[int]] = []
    room: list[tuple[int, int]] = []  # what is left of each pack, and the pack's number, ascending
    for item in order.tolist():
        size = int(tokens[item])
        found_at = bisect_left(room, (size, -1))
        left, pack = room.pop(found_at) if found_at < len(room) else (budget, len(packs))
        if pack == len(packs):
            packs.append([])
        packs[pack].append(item)
        insort(room, (left - size, pack))
    return [sorted(pack) for pack in packs]


def level(tokens: Numbers, budget: int) -> list[list[int]]:
    """Pack into as few packs as `best_fit` needs or fewer, each with records of all lengths.

    Best fit puts records of one length, often of one source, into one pack. Here all records go, the longest first, to
    the pack that has the least so far (Graham's LPT rule, 1969). There are as many packs as all tokens need, and one
    percent more each time that something does not fit.

    Args:
        tokens: as `best_fit`.
        budget: as `best_fit`.

    Returns:
        The items of each pack, in ascending order.

    Raises:
        ConfigError: an item is longer than the budget.
    """
    fitted = best_fit(tokens, budget)
    order = np.argsort(-tokens, kind="stable")
    items = [(item, int(tokens[item])) for item in order[tokens[order] > 0].tolist()]
    count = -(-int(tokens.sum()) // budget)
    while 0 < count <= len(fitted):
        packs = _spread(items, budget, count)
        if packs is not None:
            return packs
        count += max(1, count // 100)
    return fitted


def _spread(items: list[tuple[int, int]], budget: int, count: int) -> list[list[int]] | None:
    """Spread items with their sizes over so many packs; None if one does not fit."""
    packs: list[list[int]] = [[] for _ in range(count)]
    loads = [(0, pack) for pack in range(count)]
    for item, size in items:
        load, pack = loads[0]
        if load + size > budget:
            return None
        packs[pack].append(item)
        heapreplace(loads, (load + size, pack))
    return [sorted(pack) for pack in packs]


@dataclass(frozen=True)
class PackOrder:
    """The endless order of packs over a mixture.

    Args:
        order: of records.
        lengths: tokens of each record.
        budget: most tokens of a pack; 0 makes a pack of every record that can be used.
        window_places: places of the order in a window; an epoch with fewer is a window.
        start: where a window begins that is known; packs from there on are found without walking from the first.

    Raises:
        ConfigError: a budget below 0, a window without places, or no record that can be used.
    """

    order: MixtureOrder
    lengths: TokenCounts
    budget: int
    window_places: int = WINDOW_PLACES
    start: PackState = PackState()
    _windows: dict[int, list[Numbers]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _known: list[PackState] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.budget < 0:
            raise ConfigError(f"a budget of {counted(self.budget, 'token')}", "0 or more", "set pack_tokens: 8192")
        if self.window_places < 1:
            raise ConfigError(f"windows of {self.window_places} places", "at least 1", "leave it out")
        if self.lengths.is_empty:
            raise ConfigError("no record that can be used", "at least one", "see which faults are counted")
        self._known.extend(sorted({PackState(), self.start}, key=lambda one: one.first_pack))

    def pack(self, index: int) -> Numbers:
        """Places in the mixture's order of the records of a pack: int64 [records], ascending.

        Args:
            index: of the pack, from 0.
        """
        state = self.state(index)
        return self._packs(state.window)[index - state.first_pack]

    def packs(self, indexes: Sequence[int]) -> list[Numbers]:
        """As `pack`, of several."""
        return [self.pack(index) for index in indexes]

    def state(self, index: int) -> PackState:
        """Find the window that holds a pack.

        Windows between the nearest one that is known and this one are packed to count them: the next is at hand, one
        without a known window near it costs milliseconds for each window passed.
        """
        if index < 0:
            raise IndexError(index)
        known = self._known[bisect_right(self._known, index, key=lambda one: one.first_pack) - 1]
        while index >= known.first_pack + (size := len(self._packs(known.window))):
            known = PackState(known.window + 1, known.first_pack + size)
            self._remember(known)
        return known

    def _remember(self, state: PackState) -> None:
        place = bisect_right(self._known, state.first_pack, key=lambda one: one.first_pack)
        if self._known[place - 1].window < state.window:
            self._known.insert(place, state)

    def _packs(self, window: int) -> list[Numbers]:
        """All packs of a window, shuffled: best fit makes those of long records first."""
        if window not in self._windows:
            if len(self._windows) == _KEPT_WINDOWS:
                del self._windows[next(iter(self._windows))]
            self._windows[window] = self._pack_window(window)
        return self._windows[window]

    def _pack_window(self, window: int) -> list[Numbers]:
        size = min(self.window_places, len(self.order))
        places = np.arange(size, dtype=np.int64) + window * size
        tokens = self.lengths.tokens(*self.order.locate(places))
        if not self.budget:
            return [places[item : item + 1] for item in np.flatnonzero(tokens)]
        found = level(tokens, self.budget)
        if not found:
            return []
        shown = shuffled(np.arange(len(found)), len(found), _key(self.order.seed, window))
        return [places[found[number]] for number in shown]


def _key(seed: int, window: int) -> int:
    """The key of a window's shuffle; another than those of records, which start from the seed itself."""
    return (seed * 0x9E3779B97F4A7C15 + window) ^ 0x5041434B
