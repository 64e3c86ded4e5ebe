"""Read an index from disk: tokens, times and thumbnails."""

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
"""Prefixes of the tensors of a state file: the compressor's state, and the frames that are in no block yet."""
GROUPS = ("token_offsets", "frame_offsets", "frames_seconds")
"""Tensors of a block that describe its groups."""
PICTURES = ("seconds", "is_keyframe")
"""Tensors that describe the pictures of the file."""
TRIES = 5


class VideoIndex:
    """An index on disk. Reading it needs no model and no video.

    Args:
        path: the index's folder.

    Raises:
        IndexFileError: there is no index, or it is damaged or has another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.store = Store.open(self.path)
        self.header = self.store.header

    @cached_property
    def _written(self) -> tuple[int, Piece | None]:
        """The number of blocks and the state after them; read again if a writer replaces it meanwhile."""
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
        """The blocks, and the frames after them as one more."""
        count, state = self._written
        blocks = [self.store.block(number) for number in range(count)]
        tail = [] if state is None or TAIL + "tokens" not in state.tensors else [part_of(state, TAIL)]
        return blocks + tail

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Facts about the video when the index was last written; empty before the first block."""
        _, state = self._written
        return {} if state is None else dict(state.facts)

    @property
    def key(self) -> str:
        """Identifies these tokens; an append changes it."""
        count, _ = self._written
        return f"{self.header.id} {count} {self.facts.get('source')} {self.is_complete}"

    @cached_property
    def tokens(self) -> VisualTokens:
        """All tokens, in bfloat16 or float32 (also from int8).

        Raises:
            IndexFileError: nothing was indexed yet, or a file is damaged.
        """
        pieces = self._pieces
        if not pieces or not self.facts:
            remedy = "wait for the first frames, or run `longpanda index` again"
            raise IndexFileError(f"'{self.path}' holds no frames yet", "an index with at least one block", remedy)
        values = torch.cat([storage.unpack(piece.tensors) for piece in pieces])
        groups = concatenated([{name: piece.tensors[name] for name in GROUPS} for piece in pieces])
        tokens, frames, times = (groups[name].numpy() for name in GROUPS)
        return VisualTokens(values, tokens, times, frames, self.facts["duration_seconds"], self.facts["seen_seconds"])

    @property
    def frames(self) -> int:
        """Number of frames, without reading them."""
        return int(self.facts.get("frames_read", self.facts.get("frames", 0)))

    @property
    def token_count(self) -> int:
        """Number of visual tokens, without reading them."""
        return int(self.facts.get("tokens_read", self.facts.get("tokens", 0)))

    @cached_property
    def frame_times(self) -> FrameTimes:
        """The pictures of the file as last indexed. Raises IndexFileError if video.safetensors is damaged."""
        video = self.store.video()
        return FrameTimes(*(video.tensors[name].numpy() for name in PICTURES))

    @cached_property
    def thumbnails(self) -> list[Thumbnail]:
        """Small pictures, in order of time."""
        return [one for piece in self._pieces for one in thumbnails.unpack(piece.tensors)]

    @property
    def is_complete(self) -> bool:
        """Whether the whole video was indexed, as it was then."""
        return bool(self.facts.get("is_complete"))

    def check_encoder(self, fingerprint: str, model: str, remedy: str) -> None:
        """Raise IndexFileError with this remedy if another model made the tokens."""
        if fingerprint == self.header.encoder:
            return
        found = f"'{self.path}' holds tokens of model '{self.header.model}' ({self.header.encoder[:8]})"
        expected = f"those of '{model}' ({fingerprint[:8]})"
        raise IndexFileError(found, expected, remedy)


def part_of(piece: Piece, prefix: str) -> Piece:
    """The tensors whose names begin with a prefix, which is removed."""
    return Piece({n.removeprefix(prefix): t for n, t in piece.tensors.items() if n.startswith(prefix)}, piece.facts)


def concatenated(pieces: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Concatenate the tensors of several blocks; offsets of later blocks continue those of earlier ones."""
    whole = {}
    for name in pieces[0]:
        parts = [piece[name] for piece in pieces]
        if name.endswith("_offsets"):
            sizes = torch.cat([part.diff() for part in parts])
            whole[name] = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        else:
            whole[name] = torch.cat(parts)
    return whole
