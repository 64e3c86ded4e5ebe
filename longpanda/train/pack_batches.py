"""Batches of packs that a loader reads ahead, in place of PyTorch's DataLoader, and where they resume."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from longpanda.errors import ConfigError
from longpanda.files import write_atomic
from longpanda.types import Pack

PACKS: Final = "packs.json"
"""File of a checkpoint: which pack comes next, and of which data."""
_log = logging.getLogger(__name__)


class Loader(Protocol):
    """Reads packs in order, without end."""

    wait_seconds: float

    def __next__(self) -> Any:
        """The next pack, as `conversations`."""

    @property
    def wait_share(self) -> float:
        """Share of the time in which packs were waited for."""

    def lines(self) -> list[str]:
        """What was left out, a line for each source."""

    def close(self) -> None:
        """End the processes that read."""


@runtime_checkable
class PackSource(Protocol):
    """Examples that are packs, which a loader reads ahead."""

    @property
    def identity(self) -> dict[str, str]:
        """Hashes of the data; a run resumes on the same data only."""

    def share(self, first_pack: int, rank: int, processes: int) -> Loader:
        """Start to read each `processes`-th pack from `first_pack + rank` on."""

    def __len__(self) -> int: ...


@dataclass
class PackBatches:
    """An endless iterable of the batches of one process.

    Args:
        source: the packs.
        collate: makes a batch of packs.
        batch: packs of a batch.
        rank: number of this process, from 0.
        processes: number of processes.
        first_pack: called when iteration starts: the first pack that any process reads.
    """

    source: PackSource
    collate: Callable[[Sequence[Pack]], dict[str, Any]]
    batch: int
    rank: int
    processes: int
    first_pack: Callable[[], int]
    loader: Loader | None = None

    def __len__(self) -> int:
        """Steps of the stage: one pass over the source."""
        return len(self.source) // (self.batch * self.processes)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.loader = self.source.share(self.first_pack(), self.rank, self.processes)
        try:
            while True:
                yield self.collate([next(self.loader).conversations for _ in range(self.batch)])
        finally:
            for line in self.loader.lines():
                _log.warning("%s", line)
            self.loader.close()


def write_place(folder: Path, source: PackSource, pack: int) -> None:
    """Write into a checkpoint which pack comes next. Raises ConfigError if it cannot be written."""
    write_atomic(folder / PACKS, json.dumps({"pack": pack, **source.identity}) + "\n")


def read_place(folder: Path, source: PackSource) -> int:
    """Read which pack comes next.

    Raises:
        ConfigError: the checkpoint does not say, or is of other data.
    """
    try:
        found = json.loads((folder / PACKS).read_text(encoding="utf-8"))
        pack = int(found.pop("pack"))
    except (OSError, ValueError, KeyError, AttributeError) as error:
        what = f"'{folder / PACKS}', which does not say where the data go on ({error})"
        raise ConfigError(
            what, "the file of the checkpoint", "delete the checkpoint to resume from the one before"
        ) from error
    differs = [name for name, value in source.identity.items() if found.get(name) != value]
    if differs:
        what = f"other data than those of '{folder}' (another {', '.join(differs)})"
        expected = "the same records, media, token counts, seed and pack_tokens"
        raise ConfigError(what, expected, "restore them, or train to another folder")
    return pack
