"""Batches of packs that a loader reads ahead, in place of PyTorch's DataLoader, and where they resume."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from longpanda.data.annotated import AnnotatedPacks
from longpanda.data.loader import LoaderState, PackLoader, Share
from longpanda.errors import ConfigError
from longpanda.files import write_atomic
from longpanda.types import Pack

PACKS: Final = "packs.json"
"""File of a checkpoint: which pack comes next, and of which data."""
_log = logging.getLogger(__name__)


@dataclass
class PackBatches:
    """An endless iterable of the batches of one process.

    Args:
        source: the packs.
        collate: makes a batch of packs.
        batch: packs of a batch.
        share: which packs this process reads.
        place: called when iteration starts: where the run resumes, or None at its beginning.
    """

    source: AnnotatedPacks
    collate: Callable[[Sequence[Pack]], dict[str, Any]]
    batch: int
    share: Share
    place: Callable[[], LoaderState | None]
    loader: PackLoader | None = None

    def __len__(self) -> int:
        """Steps of the stage: one pass over the source."""
        return len(self.source) // (self.batch * self.share.processes)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.loader = self.source.loader(self.place(), self.share)
        try:
            while True:
                yield self.collate([next(self.loader).conversations for _ in range(self.batch)])
        finally:
            for line in self.loader.skips.lines():
                _log.warning("%s", line)
            self.loader.close()


def write_place(folder: Path, source: AnnotatedPacks, loader: PackLoader) -> None:
    """Write into a checkpoint which pack comes next. Raises ConfigError if it cannot be written."""
    write_atomic(folder / PACKS, json.dumps({**loader.state().as_dict(), **source.identity}) + "\n")


def read_place(folder: Path, source: AnnotatedPacks) -> LoaderState:
    """Read which pack comes next.

    Raises:
        ConfigError: the checkpoint does not say, or is of other data.
    """
    try:
        found = json.loads((folder / PACKS).read_text(encoding="utf-8"))
        known = {name: found.pop(name, None) for name in source.identity}
        place = LoaderState(**found, fingerprint=known["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"'{folder / PACKS}', which does not say where the data go on ({error})"
        raise ConfigError(
            what, "the file of the checkpoint", "delete the checkpoint to resume from the one before"
        ) from error
    differs = [name for name, value in source.identity.items() if known[name] != value]
    if differs:
        what = f"other data than those of '{folder}' (another {', '.join(differs)})"
        expected = "the same records, media, token counts, seed and pack_tokens"
        raise ConfigError(what, expected, "restore them, or train to another folder")
    return place
