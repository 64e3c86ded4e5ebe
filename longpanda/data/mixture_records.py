"""The records of a mixture that are used, by source: counted, ordered and read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from longpanda.data.mixture import Mixture
from longpanda.data.order import MixtureOrder
from longpanda.data.record_index import Progress, RecordIndex, index_files
from longpanda.data.scan import KINDS
from longpanda.data.schema import Fault, Record, RecordError
from longpanda.data.selection import selected


@dataclass(frozen=True)
class MixtureRecords:
    """Random access to the records that a mixture uses.

    Args:
        mixture: whose sources they are.
        indexes: one for each source.
        ranges: which records of each file are used.
    """

    mixture: Mixture
    indexes: tuple[RecordIndex, ...]
    ranges: tuple[range, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Records of each source that are used."""
        return tuple(map(len, self.ranges))

    def order(self, seed: int) -> MixtureOrder:
        """The order in which they are shown."""
        return MixtureOrder(self.counts, tuple(source.repeat for source in self.mixture.sources), seed)

    def read(self, source: int, record: int) -> Record:
        """Read one record.

        Args:
            source: number of its source.
            record: its number among those of the source that are used.

        Raises:
            RecordError: it cannot be used, or is about another kind of media than its source is declared to be.
        """
        number = self.ranges[source][record]
        found, declared = self.indexes[source].read(number), self.mixture.sources[source].media_type
        if declared and found.kind != declared:
            where = f"record {number + 1} of '{self.indexes[source].path}' is about {found.kind}"
            raise RecordError(where, f"media_type {declared}", "remove media_type, or split the file", Fault.KIND)
        return found

    def kinds(self) -> Iterator[dict[str, int]]:
        """How many records of each source are about text, images and videos; those without a usable record apart."""
        for index, used in zip(self.indexes, self.ranges, strict=True):
            entries = index.entries[used.start : used.stop]
            numbers = np.bincount(entries["kind"][entries["fault"] == 0], minlength=len(KINDS))
            yield dict(zip(KINDS, numbers.tolist(), strict=True))


def open_records(mixture: Mixture, cache: Path, processes: int = 1, progress: Progress | None = None) -> MixtureRecords:
    """Open the records of a mixture; annotation files are indexed where that is missing or out of date.

    Args:
        mixture: whose records.
        cache: folder of indexes.
        processes: that index files.
        progress: as `index_files`.

    Raises:
        ConfigError: as `index_files`.
    """
    found = index_files([source.annotations for source in mixture.sources], cache, processes, progress)
    by_path = {index.path: index for index in found}
    indexes = tuple(by_path[source.annotations] for source in mixture.sources)
    ranges = tuple(
        selected(source.strategy, len(index)) for source, index in zip(mixture.sources, indexes, strict=True)
    )
    return MixtureRecords(mixture, indexes, ranges)
