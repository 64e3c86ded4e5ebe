"""The order in which a mixture's records are shown: shuffled as a whole, known at any place without what comes before.

A place in the order is one number, whatever the number of processes: that number is all that resuming needs.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from longpanda.errors import ConfigError

Numbers = npt.NDArray[np.int64]
_ROUNDS: Final = 6
_MASK: Final = (1 << 64) - 1


def shuffled(places: Numbers, count: int, key: int) -> Numbers:
    """Where a pseudo-random permutation of 0 to `count` - 1 sends some numbers.

    A balanced Feistel network permutes the smallest power of four that holds `count`; numbers that land beyond `count`
    are sent through it again ("cycle walking"; Black and Rogaway 2002). It needs no memory, unlike a stored
    permutation.

    Args:
        places: int64, each of 0 to `count` - 1.
        count: length of the permutation.
        key: chooses the permutation.
    """
    half_bits = max(1, (max(1, count - 1).bit_length() + 1) // 2)
    keys = [_mixed_scalar(key * _ROUNDS + number) for number in range(_ROUNDS)]
    found = _feistel(places.astype(np.uint64), half_bits, keys)
    while (beyond := found >= count).any():
        found[beyond] = _feistel(found[beyond], half_bits, keys)
    return found.astype(np.int64)


def _feistel(values: npt.NDArray[np.uint64], half_bits: int, keys: list[int]) -> npt.NDArray[np.uint64]:
    shift, mask = np.uint64(half_bits), np.uint64((1 << half_bits) - 1)
    left, right = values >> shift, values & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right + np.uint64(key)) & mask)
    return (left << shift) | right


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele et al. 2014): every bit depends on every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _mixed_scalar(value: int) -> int:
    seeded = (value * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & _MASK
    return int(_mixed(np.array([seeded], np.uint64))[0])


@dataclass(frozen=True)
class MixtureOrder:
    """Epochs over a mixture, each a shuffle of all records of all sources together.

    Every source is shown exactly `round(repeat * count)` times in each epoch. A source with a fractional `repeat`
    goes on in the next epoch where it ended, so that all its records are shown equally often, but for one.

    Args:
        counts: records of each source that are used.
        repeats: how often each source's records are shown in an epoch.
        seed: of all shuffles.

    Raises:
        ConfigError: no record is left, or numbers of counts and repeats differ.
    """

    counts: tuple[int, ...]
    repeats: tuple[float, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.repeats):
            found = f"{len(self.counts)} counts and {len(self.repeats)} repeats"
            raise ConfigError(found, "one of each for a source", "pass both for all sources")
        if not len(self):
            raise ConfigError("a mixture that shows no record", "at least one", "use more records, or repeat them")

    @property
    def shown(self) -> tuple[int, ...]:
        """How many records of each source an epoch shows."""
        return tuple(round(one * count) for one, count in zip(self.repeats, self.counts, strict=True))

    def __len__(self) -> int:
        """Records of one epoch."""
        return sum(self.shown)

    def locate(self, places: Numbers) -> tuple[Numbers, Numbers]:
        """Which record stands at each place of the endless order.

        Args:
            places: int64 [N], from 0; epoch e holds the places from `e * len(self)` on.

        Returns:
            Of each place, the number of its source, and the record's number among those of the source that are used.
        """
        sources, records = np.empty_like(places), np.empty_like(places)
        epochs = places // len(self)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            sources[here], records[here] = self._of_epoch(places[here] % len(self), int(epoch))
        return sources, records

    def _of_epoch(self, places: Numbers, epoch: int) -> tuple[Numbers, Numbers]:
        slots = shuffled(places, len(self), _key(self.seed, epoch, 0))
        ends = np.cumsum(self.shown)
        sources = np.searchsorted(ends, slots, side="right").astype(np.int64)
        within = slots - np.concatenate([[0], ends])[sources]
        records = np.empty_like(within)
        for source in np.unique(sources):
            here, count = sources == source, self.counts[source]
            number = (epoch * self.shown[source] + within[here]) % count
            records[here] = shuffled(number, count, _key(self.seed, 0, 1 + int(source)))
        return sources, records


def _key(seed: int, epoch: int, source: int) -> int:
    return _mixed_scalar(_mixed_scalar(_mixed_scalar(seed) + epoch) + source)
