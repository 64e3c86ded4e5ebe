"""A stored index, read: tokens, times and thumbnails of everything on disk."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from longpanda.errors import IndexFileError
from longpanda.index import storage, thumbnails
from longpanda.index.store import Piece, Store
from longpanda.index.thumbnails import Thumbnail
from longpanda.types import VisualTokens
from longpanda.video import FrameTimes

STATE, TAIL = "state.", "tail."
"""Prefixes of what a state file holds: the compressor's state, and the tokens of frames that are in no block yet."""
GROUPS = ("token_offsets", "frame_offsets", "frames_seconds")
"""What a block says of its groups."""
PICTURES = ("seconds", "is_keyframe")
"""What is kept of the pictures of the file."""
TRIES = 5


class VideoIndex:
    """An index on disk. Reading it needs no model and no video.

    Args:
        path: its folder.

    Raises:
        IndexFileError: no index there, one of another version, or a damaged one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.store = Store.open(self.path)
        self.header = self.store.header

    @cached_property
    def _written(self) -> tuple[int, Piece | None]:
        """How many blocks there are, and the state behind them; a writer may be at work and replace it meanwhile."""
        count, state = self.store.blocks, None
        for _ in range(TRIES):
            try:
                state = self.store.state(count)
            except IndexFileError:
                if self.store.blocks == count:
                    raise
            if state is not None or self.store.blocks == count:
                break
            count = self.store.blocks
        return count, state

    @cached_property
    def _pieces(self) -> list[Piece]:
        """Blocks, and last what lies beyond them."""
        count, state = self._written
        blocks = [self.store.block(number) for number in range(count)]
        beyond = [] if state is None or TAIL + "tokens" not in state.tensors else [part_of(state, TAIL)]
        return blocks + beyond

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What was true of the video when the index was last written; empty before the first block is."""
        _, state = self._written
        return {} if state is None else dict(state.facts)

    @property
    def key(self) -> str:
        """Says which tokens these are: another one after every append."""
        count, _ = self._written
        return f"{self.header.id} {count} {self.facts.get('source')} {self.is_complete}"

    @cached_property
    def tokens(self) -> VisualTokens:
        """All of it, in memory: bfloat16 or float32, int8 as float32.

        Raises:
            IndexFileError: nothing was indexed yet, or a file is damaged.
        """
        pieces = self._pieces
        if not pieces or not self.facts:
            remedy = "wait for the first frames, or run `longpanda index` again"
            raise IndexFileError(f"'{self.path}' holds no frames yet", "an index with at least one block", remedy)
        values = torch.cat([storage.unpack(piece.tensors) for piece in pieces])
        groups = together([{name: piece.tensors[name] for name in GROUPS} for piece in pieces])
        tokens, frames, times = (groups[name].numpy() for name in GROUPS)
        return VisualTokens(values, tokens, times, frames, self.facts["duration_seconds"], self.facts["seen_seconds"])

    @property
    def frames(self) -> int:
        """Frames that are in it, counted without reading them."""
        return int(self.facts.get("frames_read", self.facts.get("frames", 0)))

    @property
    def token_count(self) -> int:
        """Visual tokens that are in it, counted without reading them."""
        return int(self.facts.get("tokens_read", self.facts.get("tokens", 0)))

    @cached_property
    def frame_times(self) -> FrameTimes:
        """When each picture of the file was shown when it was last indexed.

        Raises:
            IndexFileError: the file that holds this is damaged.
        """
        video = self.store.video()
        return FrameTimes(*(video.tensors[name].numpy() for name in PICTURES))

    @cached_property
    def thumbnails(self) -> list[Thumbnail]:
        """In order of time."""
        return [one for piece in self._pieces for one in thumbnails.unpack(piece.tensors)]

    @property
    def is_complete(self) -> bool:
        """Was the whole video indexed, as it was then?"""
        return bool(self.facts.get("is_complete"))

    def check_encoder(self, fingerprint: str, model: str, remedy: str) -> None:
        """Refuse a model whose tokens these are not, and say what to do. Raises IndexFileError."""
        if fingerprint == self.header.encoder:
            return
        found = f"'{self.path}' holds tokens of model '{self.header.model}' ({self.header.encoder[:8]})"
        expected = f"those of '{model}' ({fingerprint[:8]})"
        raise IndexFileError(found, expected, remedy)


def part_of(piece: Piece, prefix: str) -> Piece:
    """The tensors whose names begin with a prefix, under the rest of their names."""
    return Piece({n.removeprefix(prefix): t for n, t in piece.tensors.items() if n.startswith(prefix)}, piece.facts)


def together(pieces: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of several blocks as those of one; offsets of later blocks go on behind earlier ones."""
    whole = {}
    for name in pieces[0]:
        parts = [piece[name] for piece in pieces]
        if name.endswith("_offsets"):
            sizes = torch.cat([part.diff() for part in parts])
            whole[name] = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        else:
            whole[name] = torch.cat(parts)
    return whole
