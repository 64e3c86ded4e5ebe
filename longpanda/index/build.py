"""A video into an index: streamed, resumed where it was killed, and gone on with when the video has grown."""

import importlib.metadata
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from longpanda.errors import ConfigError, IndexFileError
from longpanda.index import storage, thumbnails
from longpanda.index.encode import Block, Encoder, blocks_of
from longpanda.index.fingerprint import encoder_fingerprint, source_fingerprint
from longpanda.index.store import VERSION, Header, Piece, Store
from longpanda.index.thumbnails import Thumbnail
from longpanda.index.video_index import STATE, TAIL, VideoIndex, part_of
from longpanda.model.stream import CompressorState
from longpanda.types import Seconds, VideoClip
from longpanda.video import Sampling, TimedFrame, VideoInfo, decode, iter_frames, probe

if TYPE_CHECKING:
    from longpanda.index.load import LongPanda

SETTLED_SECONDS = 2.0
"""What lies nearer to the end of a file is indexed again when it has grown: its last pictures may have changed."""
SAME_PICTURE = 8.0
"""Mean difference of two thumbnails, of 255, up to which they show the same frame."""
COMPARED = 4
"""Blocks whose first thumbnail is compared before an index is gone on with."""


@dataclass(frozen=True)
class IndexPlan:
    """What an index will hold.

    Args:
        video: the file.
        info: what it is.
        fps: frames looked at per second of video.
        frames: looked at in all.
        tokens: kept of them.
        width: channels of a token.
        storage: how they are stored.
    """

    video: Path
    info: VideoInfo
    fps: float
    frames: int
    tokens: int
    width: int
    storage: str

    @property
    def bytes(self) -> int:
        """Of all tokens on disk; thumbnails and the compressor's state come on top."""
        return self.tokens * storage.bytes_per_token(self.storage, self.width)


class Builder:
    """Indexes one video with one model.

    Args:
        panda: the model.
        video: the file.
        folder: the index, new or begun; None stands beside the video, as NAME.vidx.
        fps: frames looked at per second of video; None takes the model's own.
        stored: how tokens are stored.
        tokens_per_frame: fewer or more tokens than the model's own compressor gives, at most.

    Raises:
        VideoError: no video.
        ConfigError: an impossible rate or storage, or no compressor that could have it.
    """

    def __init__(
        self,
        panda: "LongPanda",
        video: str | Path,
        folder: str | Path | None = None,
        fps: float | None = None,
        stored: str = "bfloat16",
        tokens_per_frame: float | None = None,
    ) -> None:
        storage.check(stored)
        self.panda, self.video = panda, Path(video)
        self.folder = Path(folder) if folder is not None else self.video.with_suffix(".vidx")
        self.fps = fps if fps is not None else panda.default_fps
        self.stored = stored
        self.info = probe(video)
        self.seconds = Sampling(fps=self.fps).seconds_for(self.info.duration_seconds)
        self._size_px = panda.processor.image_processor.size_for(self.info.height_px, self.info.width_px)
        self._encoder = Encoder(panda.model, panda.processor, self._size_px, tokens_per_frame)

    @property
    def plan(self) -> IndexPlan:
        """What the whole index will hold."""
        frames = len(self.seconds)
        tokens = -(-frames // self._encoder.frames_per_group) * self._encoder.tokens_per_group
        width: int = self.panda.model.config.stab_config.width
        return IndexPlan(self.video, self.info, self.fps, frames, tokens, width, self.stored)

    def build(self, append: bool = False, progress: Callable[[int], None] | None = None) -> VideoIndex:
        """Index the video, from where an earlier call was stopped.

        Args:
            append: go on with an index of what this video was before it grew.
            progress: told how many of the plan's frames are done, where anybody asks.

        Raises:
            ConfigError: the folder holds something else or cannot be written, another process writes it, or `append`
                with a model that cannot go on.
            IndexFileError: an index of another model, video or rate, or a damaged one.
        """
        store = self._open()
        with store.writing():
            blocks = store.blocks
            state = store.state(blocks)
            source = source_fingerprint(self.video)
            if state is not None and not self._goes_on(store, state, source, append):
                return VideoIndex(self.folder)
            self._stream(store, blocks, state, source, progress or _nobody)
        return VideoIndex(self.folder)

    @cached_property
    def _header(self) -> Header:
        height, width = self._size_px
        return Header(
            version=VERSION,
            id=uuid.uuid4().hex,
            encoder=encoder_fingerprint(self.panda.model),
            model=self.panda.name,
            fps=self.fps,
            height_px=self.info.height_px,
            width_px=self.info.width_px,
            frame_height_px=height,
            frame_width_px=width,
            frames_per_group=self._encoder.frames_per_group,
            tokens_per_group=self._encoder.tokens_per_group,
            width=self.panda.model.config.stab_config.width,
            storage=self.stored,
            longpanda=importlib.metadata.version("longpanda"),
        )

    def _open(self) -> Store:
        """The index to go on with, or a new one."""
        if not self.folder.exists():
            try:
                self.folder.mkdir()
            except OSError as error:
                found = f"'{self.folder}' cannot be made ({error.strerror})"
                raise ConfigError(found, "a folder that can be written", "choose another --out") from error
        elif not self.folder.is_dir() or (not (self.folder / "header.json").exists() and any(self.folder.iterdir())):
            found = f"'{self.folder}', which is no index and not empty"
            raise ConfigError(found, "a new folder or an index", "choose another --out")
        if not (self.folder / "header.json").exists():
            return Store.create(self.folder, self._header)
        store = Store.open(self.folder)
        VideoIndex(self.folder).check_encoder(self._header.encoder, self.panda.name)
        for name in ("fps", "storage", "height_px", "width_px", "frames_per_group", "tokens_per_group"):
            there, wanted = getattr(store.header, name), getattr(self._header, name)
            if there != wanted:
                found = f"'{self.folder}', an index with {name} {there}"
                raise IndexFileError(found, f"{name} {wanted}", "use the same, or another --out")
        return store

    def _goes_on(self, store: Store, state: Piece, source: dict[str, Any], append: bool) -> bool:
        """Is there anything to do? Raises where the video is not the one that was indexed."""
        if state.facts["source"] == source:
            return not state.facts["is_complete"]
        if not append:
            found = f"'{self.video}', which changed since '{self.folder}' was made"
            raise IndexFileError(found, "the same file", "if it has only grown: --append; else use another --out")
        if not self._encoder.is_causal:
            found = f"--append with '{self.panda.name}', whose compressor reads in both directions"
            raise ConfigError(found, "a causal one", "index the video again, to another --out")
        self._check_same_beginning(store)
        return True

    def _check_same_beginning(self, store: Store) -> None:
        """Compare some thumbnails of the index with the video as it is now."""
        count = store.blocks
        numbers = sorted({round(i * (count - 1) / (COMPARED - 1)) for i in range(COMPARED)}) if count else []
        for number in numbers:
            known = thumbnails.unpack(store.block(number).tensors)[0]
            frame = decode(self.video, [known.seconds], size_px=self._size_px).frames[0]
            apart = thumbnails.difference(known, Thumbnail(known.seconds, thumbnails.jpeg_of(frame)))
            if apart > SAME_PICTURE:
                found = f"'{self.video}' shows something else at {known.seconds:.1f} s than when it was indexed"
                raise IndexFileError(found, "the video of this index, or a longer one", "use another --out")

    def _stream(
        self, store: Store, blocks: int, state: Piece | None, source: dict[str, Any], progress: Callable[[int], None]
    ) -> None:
        """Commit every settled block; what lies beyond them goes into the last state, with the tokens made so far."""
        next_number = 0 if state is None else int(state.facts["next_number"])
        done = 0 if state is None else int(state.facts["frames"])
        carried = self._restored(state)
        facts: dict[str, Any] = {"duration_seconds": self.info.duration_seconds, "source": source, "is_complete": False}
        kept = self._state_tensors(carried)
        beyond: list[dict[str, torch.Tensor]] = []
        last_number, frames = next_number, done
        for block in self._blocks(next_number):
            values, carried = self._encoder(block.clip, carried)
            piece = self._tensors(block.clip, values)
            frames += len(block.clip)
            if not beyond and self._is_settled(block):
                last_number, done, kept = block.next_number, frames, self._state_tensors(carried)
                behind = facts | {"next_number": last_number, "frames": done}
                store.commit(blocks, Piece(piece, {}), Piece(kept, behind))
                blocks += 1
            else:
                beyond.append(piece)
            progress(block.next_number)
        if not frames:
            decode(self.video, self.seconds, size_px=self._size_px)  # raises, and says where the file ends
        whole = {TAIL + name: torch.cat([one[name] for one in beyond]) for name in beyond[0]} if beyond else {}
        counts = {"next_number": last_number, "frames": done, "frames_wanted": len(self.seconds), "frames_read": frames}
        store.finish(Piece({**kept, **whole}, facts | counts | {"is_complete": True}))

    def _blocks(self, first: int) -> Iterator[Block]:
        """Blocks of frames from a wanted second on."""
        size = self._encoder.block_frames if self._encoder.is_causal else len(self.seconds)
        for block in blocks_of(self._frames(first), size, self.info.duration_seconds):
            yield Block(block.clip, first + block.next_number)

    def _frames(self, first: int) -> Iterator[TimedFrame]:
        rest: Seconds = self.seconds[first:]
        return iter_frames(self.video, rest, size_px=self._size_px) if len(rest) else iter(())

    def _is_settled(self, block: Block) -> bool:
        """Would the same frames be read if the file were longer?"""
        end = self.info.duration_seconds - SETTLED_SECONDS
        whole = self._encoder.is_causal and len(block.clip) == self._encoder.block_frames
        return whole and bool(self.seconds[block.next_number - 1] <= end)

    def _tensors(self, clip: VideoClip, values: torch.Tensor) -> dict[str, torch.Tensor]:
        """A block of tokens with its times and thumbnails, as it is written."""
        starts, ends = self._encoder.spans(clip.pts_seconds)
        times = {"frames_seconds": clip.pts_seconds, "starts_seconds": starts, "ends_seconds": ends}
        small = thumbnails.pack(thumbnails.thumbnails_of(clip.frames, clip.pts_seconds))
        return (
            storage.pack(values, self.stored)
            | small
            | {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in times.items()}
        )

    def _restored(self, state: Piece | None) -> Any:
        if state is None or self.panda.model.temporal is None:
            return None
        tensors = part_of(state, STATE).tensors
        return CompressorState.from_tensors(dict(tensors)) if tensors else None

    def _state_tensors(self, state: Any) -> dict[str, torch.Tensor]:
        return {} if state is None else {STATE + name: value.cpu() for name, value in state.to_tensors().items()}


def _nobody(_: int) -> None:
    """Nobody asks."""
