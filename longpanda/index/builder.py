"""A video into an index: streamed, resumed where it was killed, and gone on with when the video has grown."""

import importlib.metadata
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longpanda.errors import ConfigError, IndexFileError, counted
from longpanda.files import exclusive_lock
from longpanda.index import storage
from longpanda.index.file_encoder import FileEncoder
from longpanda.index.growth import check_same_video, workers_for
from longpanda.index.source_fingerprint import source_fingerprint
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
DECIDED: dict[str, Callable[[Header], str]] = {
    "video": lambda one: f"{one.width_px} x {one.height_px} pixels",
    "--fps": lambda one: f"{one.fps} frames per second",
    "--storage": lambda one: f"{one.storage} tokens",
    "--dtype": lambda one: f"tokens computed in {one.dtype}",
    "--tokens-per-frame": lambda one: (
        f"{counted(one.tokens_per_group / one.frames_per_group, 'token')} per frame, "
        f"{one.grid_rows} x {one.grid_columns} places"
    ),
}
"""What stays as it is in an index, by what decides it."""


def default_fps(sampling: Mapping[str, Any]) -> float:
    """Frames per second of video at which a model that reads videos so indexes when nobody says."""
    return Sampling(**sampling).fps or DEFAULT_FPS


def beside(video: Path) -> Path:
    """Where the index of a video goes unless it is said: NAME.vidx in the same folder."""
    return video.with_suffix(INDEX_SUFFIX)


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
        thumbnail_bytes: that small pictures will take, about.
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
        """Of all tokens on disk."""
        return self.tokens * storage.bytes_per_token(self.storage, self.width)

    @property
    def bytes(self) -> int:
        """Of the index, about; the compressor's state comes on top, which no length of video makes larger."""
        return self.token_bytes + self.thumbnail_bytes


class IndexBuilder:
    """Indexes one video with one model.

    Args:
        model: the network.
        processor: its processor.
        name: what the model is called.
        video: the file.
        folder: the index, new or begun; None stands beside the video, as NAME.vidx.
        fps: frames looked at per second of video; None takes that of an index which is there, else the model's own.
        stored: how tokens are stored; None takes that of an index which is there, else bfloat16.
        tokens_per_frame: fewer or more tokens than the model's own compressor gives, at most; None takes the rate of
            an index which is there, else the model's own.
        workers: threads that decode while the model encodes; None takes `workers_for` the video. They change no token
            of a file that does not grow meanwhile.

    Raises:
        VideoError: no video.
        ConfigError: an impossible rate, storage or number of workers, or no compressor that could have it.
        IndexFileError: an index that is there cannot be read.
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
        self.fps = fps if fps is not None else (there.fps if there else default_fps(model.config.sampling))
        if there and f"{self.fps:.3g}" == f"{there.fps:.3g}":
            self.fps = there.fps  # as it was shown
        self.stored = stored if stored is not None else (there.storage if there else DEFAULT_STORAGE)
        storage.check(self.stored)
        probe(video)  # says what is wrong with it
        self._workers = workers_for(self.video) if workers is None else check_workers(workers)
        self._source = source_fingerprint(self.video)  # before its length is read: what it grows by later is noticed
        self.info = probe(video)
        self.seconds = Sampling(fps=self.fps).seconds_for(self.info.duration_seconds)
        self._size_px: tuple[int, int] = self._frames.size_for(self.info.height_px, self.info.width_px)
        self._encoder = FileEncoder(model, processor, self._size_px, self._rate(tokens_per_frame, there))

    def _rate(self, tokens_per_frame: float | None, there: Header | None) -> TemporalConfig | None:
        """The compressor at the rate that is wished for, or that of an index which is there; None at its own.

        Raises:
            ConfigError: a rate that the compressor cannot have, or no compressor.
        """
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
        """What the whole index will hold."""
        frames = len(self.seconds)
        tokens = -(-frames // self._encoder.frames_per_group) * self._encoder.tokens_per_group
        width: int = self._model.config.stab_config.width
        pictures = predicted_bytes(self.seconds, *self._size_px)
        return IndexPlan(self.video, self.info, self.fps, frames, tokens, width, self.stored, pictures)

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
        self._make_folder()
        with exclusive_lock(self.folder):
            store = self._open()
            store.clear()
            blocks = store.blocks
            state = store.state(blocks)
            store.check()
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
        """Raises ConfigError for a folder that holds something else, or cannot be made."""
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
        """The index to go on with, or a new one."""
        if not Store.is_begun(self.folder):
            return Store.create(self.folder, self._header)
        store = Store.open(self.folder)
        remedy = "index with the model that made it, use another --out, or delete it"
        VideoIndex(self.folder).check_encoder(self._header.encoder, self._name, remedy)
        for option, said in DECIDED.items():
            there, wanted = said(store.header), said(self._header)
            if there != wanted:
                found = f"'{self.folder}', an index of {there}"
                raise IndexFileError(found, f"one of {wanted}", f"use the same {option}, or another --out")
        return store

    def _check_grown(self, append: bool, made_of: str) -> None:
        """Raises where a video that changed is not to be gone on with, or cannot be."""
        if not append:
            found = f"'{self.video}', which is not as '{made_of}' was when '{self.folder}' was made of it"
            raise IndexFileError(found, "the same file", "if it has only grown: --append; else use another --out")
        if not self._encoder.is_causal:
            found = f"--append with '{self._name}', whose compressor reads in both directions"
            raise ConfigError(found, "a causal one", "index the video again, to another --out")
