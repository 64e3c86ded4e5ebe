"""Read the visual tokens of a video or an index, and what must be said about them."""

import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.errors import counted
from longpanda.index.file_encoder import FileEncoder, joined, refuse_unreadable
from longpanda.index.growth import workers_for
from longpanda.index.store import Header
from longpanda.index.thumbnails import Thumbnail
from longpanda.index.video_index import VideoIndex
from longpanda.model.configuration import cells_of
from longpanda.types import VisualTokens
from longpanda.video import Sampling, VideoInfo

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor


@dataclass(frozen=True, eq=False)
class Watched:
    """The visual tokens of a video.

    Args:
        tokens: the visual tokens and their times.
        path: the video or the index.
        key: identifies the tokens of an index; "" for a video.
        notice: what the user should know about them, or "".
        seconds: wall seconds of the reading, by stage.
        thumbnails: small pictures, in order of time.
    """

    tokens: VisualTokens
    path: Path
    key: str = ""
    notice: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    thumbnails: tuple[Thumbnail, ...] = ()


def _other_rate(header: Header, model: "LongPandaForConditionalGeneration") -> str:
    """The notice for an index with another rate of tokens than its model was trained on, or ""."""
    config, stab = model.config.temporal_config, model.config.stab_config
    if config is None:
        return ""
    cells = cells_of(header.frame_height_px, header.frame_width_px, stab)
    if header.rate == config.rate(*cells):
        return ""
    own = config.tokens_per_group(*cells) / config.pool_frames
    kept = header.tokens_per_group / header.frames_per_group
    return f"The index keeps {counted(kept, 'token')} per frame, and this model was trained on {own:g}. "


def watch_index(path: Path, model: "LongPandaForConditionalGeneration", name: str) -> Watched:
    """Open an index. Raises IndexFileError if it is damaged, empty or another model's."""
    started = time.perf_counter()
    index = VideoIndex(path)
    remedy = "ask with the model that made it, in float32 or bfloat16, or index again, to another --out"
    index.check_encoder(model.visual.fingerprint(), name, remedy)
    tokens = index.tokens
    notice = f"The index is not finished: it ends at {tokens.ends_seconds[-1]:.1f} s. "
    if index.is_complete:
        missing = index.facts["frames_wanted"] - len(tokens.frames_seconds)
        notice = f"{counted(missing, 'frame')} of this video could not be read when it was indexed. " if missing else ""
    notice += str(index.facts.get("video_notice", "")) + _other_rate(index.header, model)
    spent = {"open_index": time.perf_counter() - started}
    return Watched(tokens, path, index.key, notice, spent, tuple(index.thumbnails))


def watch_video(
    path: Path,
    info: VideoInfo,
    sampling: Sampling,
    model: "LongPandaForConditionalGeneration",
    processor: "LongPandaProcessor",
) -> Watched:
    """Encode a video as `longpanda index` does, but in memory.

    Raises:
        CutVideoError: the file has no frame at the seconds of `sampling`.
    """
    seconds = sampling.seconds_for(info.duration_seconds)
    encoder = FileEncoder(model, processor, processor.image_processor.size_for(info.height_px, info.width_px))
    started = time.perf_counter()
    with closing(encoder.video(path, seconds, info.duration_seconds, workers_for(path))) as encoded:
        parts = list(encoded)
    if not parts:
        refuse_unreadable(path, seconds, encoder.size_px)
    tokens = joined(parts, seconds, info.duration_seconds)
    encoding = sum(part.seconds for part in parts)
    spent = {"decode": time.perf_counter() - started - encoding, "encode_frames": encoding}
    missing = len(seconds) - len(tokens.frames_seconds)
    notice = f"{missing} of {counted(len(seconds), 'frame')} could not be read from this file. " if missing else ""
    thumbnails = tuple(small for part in parts for small in part.thumbnails)
    return Watched(tokens, path, "", notice + info.notice, spent, thumbnails)
