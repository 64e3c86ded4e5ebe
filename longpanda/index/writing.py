"""The frames of a video through the model and into an index, block after block."""

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
from longpanda.index.video_index import GROUPS, PICTURES, STATE, TAIL, part_of, together
from longpanda.model.tokens import CompressorState
from longpanda.types import Seconds
from longpanda.video import VideoInfo, frame_times

Tensors = dict[str, torch.Tensor]


_PLACE = ("next_number", "frames", "tokens")


@dataclass(frozen=True)
class _Waiting:
    """A block that is encoded, and not on disk yet: its tensors, the state behind it, and how far it reaches."""

    tensors: Tensors
    state: Tensors
    next_number: int
    frames: int
    tokens: int

    @property
    def place(self) -> dict[str, int]:
        """How far the index reaches with this block: the next second, frames and tokens so far."""
        return {name: getattr(self, name) for name in _PLACE}


class IndexWriter:
    """What is left of a video, into its index.

    A block is written when a picture `SETTLED_SECONDS` later than its last second was read: so close to the end of a
    file that is still written, the picture on screen may be another once the file has grown. Blocks that wait so, and
    what makes no whole block, are kept beside the last state, to be asked, and are made again by whoever goes on.

    Args:
        encoder: the model's, for this video.
        video: the file.
        info: what it is.
        seconds: that are looked at.
        stored: how tokens are stored.
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
        self._waiting: deque[_Waiting] = deque()

    def into(
        self, store: Store, state: Piece | None, source: dict[str, Any], progress: Callable[[int], None] | None
    ) -> None:
        """Go on behind `state`.

        Args:
            store: held by this process.
            state: behind the last block; None at the beginning.
            source: fingerprint of the video as it is now.
            progress: told how many of the seconds are done: first how many were, then after each block.

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
        place = {name: int(known.get(name, 0)) for name in _PLACE}
        self._write_video(store)
        kept = {} if state is None else {n: t for n, t in state.tensors.items() if n.startswith(STATE)}
        blocks, reached = store.blocks, place
        if progress is not None:
            progress(place["next_number"])
        with closing(self._encoded(place, _restored(kept))) as encoded:
            for waiting in encoded:
                self._waiting.append(waiting)
                reached = waiting.place
                while (settled := self._settled()) is not None:
                    place, kept = settled.place, settled.state
                    about = facts | place | self._seen(settled.next_number)
                    store.commit(blocks, Piece(settled.tensors, {}), Piece(kept, about))
                    blocks += 1
                if progress is not None:
                    progress(waiting.next_number)
        if not reached["frames"]:
            refuse_unreadable(self._video, self._seconds, self._encoder.size_px)
        counts = {"frames_wanted": len(self._seconds), "frames_read": reached["frames"], "is_complete": True}
        counts |= {"tokens_read": reached["tokens"]}
        store.finish(Piece({**kept, **self._beyond()}, facts | place | counts | self._seen(reached["next_number"])))

    def _write_video(self, store: Store) -> None:
        """Keep what the packets of the file say of its pictures."""
        found = frame_times(self._video)
        store.write_video(Piece({name: torch.from_numpy(getattr(found, name)) for name in PICTURES}, {}))

    def _encoded(self, place: dict[str, int], state: CompressorState | None) -> Generator[_Waiting]:
        """Blocks of what is left, as they are written."""
        first, frames, tokens = (place[name] for name in _PLACE)
        rest, length = self._seconds[first:], self._info.duration_seconds
        with closing(self._encoder.video(self._video, rest, length, self._workers, state)) as parts:
            for encoded in parts:
                frames, tokens = frames + len(encoded.frames_seconds), tokens + len(encoded.tokens.values)
                memory = {} if encoded.state is None else encoded.state.to_tensors()
                after = {STATE + name: value.cpu() for name, value in memory.items()}
                yield _Waiting(self._tensors(encoded), after, first + encoded.next_number, frames, tokens)

    def _settled(self) -> _Waiting | None:
        """The block that waits longest, taken out, if it can be written."""
        if not self._waiting or not self._encoder.is_causal:
            return None
        first, last = self._waiting[0], self._waiting[-1]
        whole = len(first.tensors["frames_seconds"]) == self._encoder.block_frames
        end = self._seconds[first.next_number - 1] + SETTLED_SECONDS
        return self._waiting.popleft() if whole and last.tensors["frames_seconds"][-1] >= end else None

    def _seen(self, next_number: int) -> dict[str, float]:
        return {"seen_seconds": seen_seconds(self._seconds, next_number, self._info.duration_seconds)}

    def _beyond(self) -> Tensors:
        """What waits still, as one."""
        pieces = [waiting.tensors for waiting in self._waiting]
        return {TAIL + name: value for name, value in together(pieces).items()} if pieces else {}

    def _tensors(self, encoded: EncodedBlock) -> Tensors:
        """Tokens with their groups, times and thumbnails, as they are written."""
        kept = offsets(encoded.tokens.group_tokens), offsets(encoded.tokens.group_frames), encoded.frames_seconds
        groups = {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in zip(GROUPS, kept, strict=True)}
        return storage.pack(encoded.tokens.values, self._stored) | thumbnails.pack(encoded.thumbnails) | groups


def _restored(kept: Tensors) -> CompressorState | None:
    tensors = part_of(Piece(kept, {}), STATE).tensors
    return CompressorState.from_tensors(dict(tensors)) if tensors else None
