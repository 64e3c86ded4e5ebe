"""Build the index of a video: streamed, resumed after a kill, and appended to when the video has grown."""

import importlib.metadata
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.errors import ConfigError, IndexFileError, counted
from longpanda.files import exclusive_lock
from longpanda.index import storage
from longpanda.index.file_encoder import FileEncoder
from longpanda.index.growth import check_same_video, source_fingerprint, workers_for
from longpanda.index.store import HEADER, VERSION, Header, Store
from longpanda.index.thumbnails import predicted_bytes
from longpanda.index.video_index import VideoIndex
from longpanda.index.writing import IndexWriter
from longpanda.model.configuration import TemporalConfig, cells_of
from longpanda.types import INDEX_SUFFIX
from longpanda.video import Sampling, VideoInfo, check_workers, probe

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor

DEFAULT_STORAGE = "bfloat16"
DEFAULT_FPS = 1.0
FIXED: dict[str, Callable[[Header], str]] = {
    "video": lambda one: f"{one.width_px} x {one.height_px} pixels",
    "--fps": lambda one: f"{one.fps} frames per second",
    "--storage": lambda one: f"{one.storage} tokens",
    "--dtype": lambda one: f"tokens computed in {one.dtype}",
    "--tokens-per-frame": lambda one: (
        f"{counted(one.tokens_per_group / one.frames_per_group, 'token')} per frame, "
        f"{one.grid_rows} x {one.grid_columns} places"
    ),
}
"""Properties that never change within an index, as text, by the option that decides them."""


def beside(video: Path) -> Path:
    """Default path of the index of a video: NAME.vidx in the same folder."""
    return video.with_suffix(INDEX_SUFFIX)


@dataclass(frozen=True)
class IndexPlan:
    """The size of an index before it is built.

    Args:
        fps: encoded frames per second of video.
        frames: encoded frames in all.
        tokens: visual tokens of these frames.
        width: channels of a token.
        storage: number format of the stored tokens.
        thumbnail_bytes: estimated size of the thumbnails.
    """

    video: Path
    info: VideoInfo
    fps: float
    frames: int
    tokens: int
    width: int
    storage: str
    thumbnail_bytes: int

    @property
    def token_bytes(self) -> int:
        """Size of all tokens on disk."""
        return self.tokens * storage.bytes_per_token(self.storage, self.width)

    @property
    def bytes(self) -> int:
        """Estimated size of the index without the compressor's state, whose size does not depend on the video."""
        return self.token_bytes + self.thumbnail_bytes


class IndexBuilder:
    """Indexes one video with one model.

    Args:
        name: the model's name.
        folder: the index's folder, new or begun; None is NAME.vidx beside the video.
        fps: encoded frames per second of video; None takes the rate of an existing index, else the model's own.
        stored: number format of stored tokens; None takes that of an existing index, else bfloat16.
        tokens_per_frame: tokens that the compressor keeps, at most; None takes the rate of an existing index, else the
            model's own.
        workers: threads that decode while the model encodes; None takes `workers_for` the video. Their number changes
            no token unless the file grows meanwhile.

    Raises:
        VideoError: the file is no video.
        ConfigError: an impossible rate, storage or number of workers, or a rate for a model without a compressor.
        IndexFileError: an existing index cannot be read.
    """

    def __init__(
        self,
        model: "LongPandaForConditionalGeneration",
        processor: "LongPandaProcessor",
        name: str,
        video: str | Path,
        folder: str | Path | None = None,
        fps: float | None = None,
        stored: str | None = None,
        tokens_per_frame: float | None = None,
        workers: int | None = None,
    ) -> None:
        self._model, self._name, self.video = model, name, Path(video)
        self._frames = processor.image_processor
        self.folder = Path(folder) if folder is not None else beside(self.video)
        there = Store.open(self.folder).header if Store.is_begun(self.folder) else None
        default_fps = there.fps if there else Sampling(**model.config.sampling).fps or DEFAULT_FPS
        self.fps = default_fps if fps is None else fps
        if there and f"{self.fps:.3g}" == f"{there.fps:.3g}":
            self.fps = there.fps  # the user may pass it rounded, as it was printed
        self.stored = stored if stored is not None else (there.storage if there else DEFAULT_STORAGE)
        storage.check(self.stored)
        probe(video)  # raises a clear error if it is no video
        self._workers = workers_for(self.video) if workers is None else check_workers(workers)
        self._source = source_fingerprint(self.video)  # before its length is read, so that later growth is noticed
        self.info = probe(video)
        self.seconds = Sampling(fps=self.fps).seconds_for(self.info.duration_seconds)
        self._size_px: tuple[int, int] = self._frames.size_for(self.info.height_px, self.info.width_px)
        self._encoder = FileEncoder(model, processor, self._size_px, self._rate(tokens_per_frame, there))

    def _rate(self, tokens_per_frame: float | None, there: Header | None) -> TemporalConfig | None:
        """The compressor's configuration at the requested rate or an existing index's; None for the model's own."""
        config = self._model.config.temporal_config
        cells = cells_of(*self._size_px, self._model.config.stab_config)
        if tokens_per_frame is not None:
            if config is None:
                found = f"{counted(tokens_per_frame, 'token')} per frame of a model without a compressor"
                raise ConfigError(found, "a model with one (temporal_config)", "leave it out")
            return config.with_tokens_per_frame(tokens_per_frame, *cells)
        if config is None or there is None or there.encoder != self._model.visual.fingerprint():
            return None
        return None if there.rate == config.rate(*cells) else config.at_rate(*there.rate)

    @property
    def plan(self) -> IndexPlan:
        """The size of the whole index."""
        frames = len(self.seconds)
        tokens = -(-frames // self._encoder.frames_per_group) * self._encoder.tokens_per_group
        width: int = self._model.config.stab_config.width
        pictures = predicted_bytes(self.seconds, *self._size_px)
        return IndexPlan(self.video, self.info, self.fps, frames, tokens, width, self.stored, pictures)

    def build(self, append: bool = False, progress: Callable[[int], None] | None = None) -> VideoIndex:
        """Index the video, starting where an earlier call stopped.

        Args:
            append: accept a video that has grown since it was indexed, and index the rest.
            progress: called with the number of the plan's frames that are done.

        Raises:
            ConfigError: the folder holds something else or cannot be written, another process writes it, or `append`
                with a compressor that is not causal.
            IndexFileError: the index is another model's or video's, has another rate, or is damaged.
        """
        self._make_folder()
        with exclusive_lock(self.folder):
            store = self._open()
            store.clear()
            blocks = store.blocks
            state = store.state(blocks)
            for number in range(blocks):
                store.block(number)  # a damaged block is refused before any work
            if state is not None and state.facts["source"] == self._source and state.facts["is_complete"]:
                return VideoIndex(self.folder)
            if state is not None and state.facts["source"] != self._source:
                self._check_grown(append, store.header.video)
                check_same_video(store, state, self.video, self.info, self._size_px)
            writer = IndexWriter(self._encoder, self.video, self.info, self.seconds, self.stored, self._workers)
            writer.into(store, state, self._source, progress)
        return VideoIndex(self.folder)

    @cached_property
    def _header(self) -> Header:
        height, width = self._size_px
        return Header(
            version=VERSION,
            id=uuid.uuid4().hex,
            encoder=self._model.visual.fingerprint(),
            model=self._name,
            video=self.video.name,
            fps=self.fps,
            height_px=self.info.height_px,
            width_px=self.info.width_px,
            frame_height_px=height,
            frame_width_px=width,
            grid_rows=self._encoder.grid[0],
            grid_columns=self._encoder.grid[1],
            frames_per_group=self._encoder.frames_per_group,
            tokens_per_group=self._encoder.tokens_per_group,
            width=self._model.config.stab_config.width,
            storage=self.stored,
            longpanda=importlib.metadata.version("longpanda"),
            preprocessing=self._frames.to_dict(),
            dtype=str(self._model.stab.patch.weight.dtype).removeprefix("torch."),
        )

    def _make_folder(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            found = f"'{self.folder}', which is no index and not empty"
            raise ConfigError(found, "a new folder or an index", "choose another --out")
        try:
            self.folder.mkdir(exist_ok=True)
            inside = [path.name for path in self.folder.iterdir()]
        except OSError as error:
            found = f"'{self.folder}' cannot be made ({error.strerror})"
            raise ConfigError(found, "a folder that can be written", "choose another --out") from error
        others = [name for name in inside if name != "lock" and not name.startswith(f".{HEADER}")]
        if HEADER not in inside and others:
            found = f"'{self.folder}', which is no index and not empty ('{others[0]}')"
            raise ConfigError(found, "a new folder or an index", "choose another --out")

    def _open(self) -> Store:
        """Open the existing index, or create a new one."""
        if not Store.is_begun(self.folder):
            return Store.create(self.folder, self._header)
        store = Store.open(self.folder)
        remedy = "index with the model that made it, use another --out, or delete it"
        VideoIndex(self.folder).check_encoder(self._header.encoder, self._name, remedy)
        for option, said in FIXED.items():
            there, wanted = said(store.header), said(self._header)
            if there != wanted:
                found = f"'{self.folder}', an index of {there}"
                raise IndexFileError(found, f"one of {wanted}", f"use the same {option}, or another --out")
        return store

    def _check_grown(self, append: bool, made_of: str) -> None:
        """Check that a changed video may be appended. Raises IndexFileError and ConfigError as `build`."""
        if not append:
            found = f"'{self.video}' differs from '{made_of}' as it was when '{self.folder}' was made"
            raise IndexFileError(found, "the same file", "pass --append if it has grown, else another --out")
        if not self._encoder.is_causal:
            found = f"--append with '{self._name}', whose compressor reads in both directions"
            raise ConfigError(found, "a causal one", "index the video again, to another --out")
