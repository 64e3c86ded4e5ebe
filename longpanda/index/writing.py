"""Encode the frames of a video and write them into an index, block by block."""

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from longpanda.index import storage, thumbnails
from longpanda.index.file_encoder import EncodedBlock, FileEncoder, offsets, refuse_unreadable, seen_seconds
from longpanda.index.growth import SETTLED_SECONDS
from longpanda.index.store import Piece, Store
from longpanda.index.video_index import GROUPS, PICTURES, STATE, TAIL, concatenated, part_of
from longpanda.model.tokens import CompressorState
from longpanda.types import Seconds
from longpanda.video import VideoInfo, frame_times

Tensors = dict[str, torch.Tensor]
Progress = dict[str, int]
_COUNTS = ("next_number", "frames", "tokens")
"""Keys of a `Progress`: the number of the next second, and the frames and tokens so far."""


@dataclass(frozen=True)
class _Pending:
    """An encoded block that is not on disk yet, the compressor's state after it, and the progress with it."""

    tensors: Tensors
    state: Tensors
    progress: Progress


class IndexWriter:
    """Writes the rest of a video into its index.

    A block is only written once a picture at least `SETTLED_SECONDS` later than its last second was read: closer to the
    end of a file that is still being written, the picture on screen may be another once the file has grown. Pending
    blocks and an incomplete last one are stored with the last state, where they can be asked; resuming encodes them
    again.

    Args:
        seconds: all requested seconds, written or not.
        stored: number format of the stored tokens.
        workers: threads that decode.
    """

    def __init__(
        self,
        encoder: FileEncoder,
        video: Path,
        info: VideoInfo,
        seconds: Seconds,
        stored: str,
        workers: int,
    ) -> None:
        self._encoder, self._video, self._info = encoder, video, info
        self._seconds, self._stored, self._workers = seconds, stored, workers
        self._pending: deque[_Pending] = deque()

    def into(
        self, store: Store, state: Piece | None, source: dict[str, Any], progress: Callable[[int], None] | None
    ) -> None:
        """Encode and write the frames after `state`.

        Args:
            store: the index, locked by this process.
            state: the state after the last block; None at the beginning.
            source: fingerprint of the video as it is now.
            progress: called with the number of seconds done: at the start and after each block.

        Raises:
            CutVideoError: no frame of the whole video can be read.
        """
        facts: dict[str, Any] = {
            "duration_seconds": self._info.duration_seconds,
            "source": source,
            "video_notice": self._info.notice,
            "is_complete": False,
        }
        known = {} if state is None else state.facts
        written = {name: int(known.get(name, 0)) for name in _COUNTS}
        pictures = frame_times(self._video)
        store.write_video(Piece({name: torch.from_numpy(getattr(pictures, name)) for name in PICTURES}, {}))
        kept = {} if state is None else {n: t for n, t in state.tensors.items() if n.startswith(STATE)}
        blocks, reached = store.blocks, written
        if progress is not None:
            progress(written["next_number"])
        with closing(self._encoded(written, _restored(kept))) as encoded:
            for pending in encoded:
                self._pending.append(pending)
                reached = pending.progress
                while (settled := self._settled()) is not None:
                    written, kept = settled.progress, settled.state
                    about = facts | written | self._seen(written)
                    store.commit(blocks, Piece(settled.tensors, {}), Piece(kept, about))
                    blocks += 1
                if progress is not None:
                    progress(reached["next_number"])
        if not reached["frames"]:
            refuse_unreadable(self._video, self._seconds, self._encoder.size_px)
        counts = {"frames_wanted": len(self._seconds), "frames_read": reached["frames"], "is_complete": True}
        counts |= {"tokens_read": reached["tokens"]}
        store.finish(Piece({**kept, **self._tail()}, facts | written | counts | self._seen(reached)))

    def _encoded(self, written: Progress, state: CompressorState | None) -> Generator[_Pending]:
        first, frames, tokens = (written[name] for name in _COUNTS)
        rest, length = self._seconds[first:], self._info.duration_seconds
        with closing(self._encoder.video(self._video, rest, length, self._workers, state)) as parts:
            for encoded in parts:
                frames, tokens = frames + len(encoded.frames_seconds), tokens + len(encoded.tokens.values)
                memory = {} if encoded.state is None else encoded.state.to_tensors()
                after = {STATE + name: value.cpu() for name, value in memory.items()}
                reached = dict(zip(_COUNTS, (first + encoded.next_number, frames, tokens), strict=True))
                yield _Pending(self._tensors(encoded), after, reached)

    def _settled(self) -> _Pending | None:
        """Take out the oldest pending block if it can be written."""
        if not self._pending or not self._encoder.is_causal:
            return None
        first, last = self._pending[0], self._pending[-1]
        whole = len(first.tensors["frames_seconds"]) == self._encoder.block_frames
        end = self._seconds[first.progress["next_number"] - 1] + SETTLED_SECONDS
        return self._pending.popleft() if whole and last.tensors["frames_seconds"][-1] >= end else None

    def _seen(self, reached: Progress) -> dict[str, float]:
        return {"seen_seconds": seen_seconds(self._seconds, reached["next_number"], self._info.duration_seconds)}

    def _tail(self) -> Tensors:
        pieces = [pending.tensors for pending in self._pending]
        return {TAIL + name: value for name, value in concatenated(pieces).items()} if pieces else {}

    def _tensors(self, encoded: EncodedBlock) -> Tensors:
        kept = offsets(encoded.tokens.group_tokens), offsets(encoded.tokens.group_frames), encoded.frames_seconds
        groups = {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in zip(GROUPS, kept, strict=True)}
        return storage.pack(encoded.tokens.values, self._stored) | thumbnails.pack(encoded.thumbnails) | groups


def _restored(kept: Tensors) -> CompressorState | None:
    tensors = part_of(Piece(kept, {}), STATE).tensors
    return CompressorState.from_tensors(dict(tensors)) if tensors else None
