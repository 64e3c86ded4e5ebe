"""Some records of each source as training sees them: frames, and the text exactly as the model gets it."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from longpanda.data.frame_choice import FrameChoice, time_message, with_time_messages
from longpanda.data.manifest import Manifest
from longpanda.data.media import read_clip
from longpanda.data.media_facts import MediaError, MediaFacts
from longpanda.data.mixture import Mixture, Source
from longpanda.data.record_index import RecordIndex
from longpanda.data.schema import Media, Record, RecordError
from longpanda.data.selection import selected
from longpanda.types import VIDEO_TOKEN, Conversation, Frames, Turn, VideoClip

if TYPE_CHECKING:
    from longpanda.processing import LongPandaProcessor

PICTURES: Final = 8
"""At most so many of a clip's frames are shown."""
LONGEST_SIDE_PX: Final = 224
JPEG_QUALITY: Final = 80


@dataclass(frozen=True)
class Picture:
    """A frame.

    Args:
        seconds: when it is shown in the annotated part; None for an image.
        jpeg: the frame, small.
    """

    seconds: float | None
    jpeg: bytes


@dataclass(frozen=True)
class Shown:
    """An image or a video of a record.

    Args:
        path: as the record writes it.
        about: its length, frames, size and codec in words.
        pictures: some of the frames that are looked at.
    """

    path: str
    about: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Piece:
    """A stretch of the text.

    Args:
        kind: "given", "learned", or "visual" for visual tokens.
        text: of visual tokens, how many.
        role: who speaks, where the text is that of a turn and not that of a model's chat format.
    """

    kind: str
    text: str
    role: str = ""


@dataclass(frozen=True)
class SampleView:
    """A record as a page shows it.

    Args:
        source: `Source.name`.
        record: its number in the annotation file, from 1.
        media: its images and videos.
        pieces: its text.
        tokens: length of the text in tokens, visual ones included; None without a model.
        problem: why it cannot be used, or "".
    """

    source: str
    record: int
    media: tuple[Shown, ...] = ()
    pieces: tuple[Piece, ...] = field(default=(), repr=False)
    tokens: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class View:
    """How records are shown.

    Args:
        choice: which frames of a video are looked at.
        message: style of the time message, see `time_message`.
        processor: of the model whose text is shown; None shows the turns alone.
    """

    choice: FrameChoice
    message: str = ""
    processor: "LongPandaProcessor | None" = None


def sample_views(
    mixture: Mixture, indexes: Sequence[RecordIndex], manifest: Manifest, view: View, per_source: int
) -> Iterator[SampleView]:
    """Some records of each source, evenly spread over those that are selected.

    Raises:
        ConfigError: a media file is not in the manifest.
        PromptError: the model's chat format cannot write a conversation.
    """
    for source, index in zip(mixture.sources, indexes, strict=True):
        numbers = selected(source.strategy, len(index))
        count = min(per_source, len(numbers))
        for place in range(count):
            number = numbers[(2 * place + 1) * len(numbers) // (2 * count)]
            yield _view_of(source, index, number, manifest, view)


def _view_of(source: Source, index: RecordIndex, number: int, manifest: Manifest, view: View) -> SampleView:
    try:
        record = index.read(number)
        parts = [manifest.facts(media, source).part(media) for media in record.media]
        sizes = [_size_px(part, view) for part in parts]
        read = zip(record.media, sizes, strict=True)
        clips = tuple(read_clip(media, source, view.choice, size_px) for media, size_px in read)
    except (RecordError, MediaError) as error:
        return SampleView(source.name, number + 1, problem=str(error))
    media = tuple(map(_shown, record.media, parts, clips))
    turns = turns_of(record, clips, view)
    if view.processor is None:
        return SampleView(source.name, number + 1, media, tuple(_plain_pieces(turns, clips)))
    pieces, tokens = _exact_pieces(Conversation(clips, turns), view.processor)
    return SampleView(source.name, number + 1, media, tuple(pieces), tokens)


def turns_of(record: Record, clips: Sequence[VideoClip], view: View) -> tuple[Turn, ...]:
    """The turns of a record with the time messages that a recipe asks for."""
    messages = [
        time_message(view.message if media.kind == "video" else "", clip.duration_seconds, clip.pts_seconds)
        for media, clip in zip(record.media, clips, strict=True)
    ]
    return with_time_messages(record.turns, messages)


def _size_px(part: MediaFacts, view: View) -> tuple[int, int]:
    """(height, width) at which the model looks at it, or of a small picture."""
    if view.processor is not None:
        size: tuple[int, int] = view.processor.image_processor.size_for(part.height_px, part.width_px)
        return size
    scale = min(1.0, LONGEST_SIDE_PX / max(part.height_px, part.width_px))
    return max(1, round(scale * part.height_px)), max(1, round(scale * part.width_px))


def _shown(media: Media, part: MediaFacts, clip: VideoClip) -> Shown:
    size = f"{part.width_px}x{part.height_px} px, {part.codec}"
    if media.kind == "image":
        return Shown(media.path, size, (Picture(None, _jpeg(clip.frames[0])),))
    span = "" if media.start_seconds is None else f" from {media.start_seconds:g} s on"
    about = f"{part.duration_seconds:.2f} s{span} at {part.fps:.4g} frames a second, {size}; {len(clip)} looked at"
    numbers = np.unique(np.linspace(0, len(clip) - 1, min(PICTURES, len(clip))).round().astype(int))
    pictures = tuple(Picture(float(clip.pts_seconds[n]), _jpeg(clip.frames[n])) for n in numbers)
    return Shown(media.path, about, pictures)


def _jpeg(frame: Frames) -> bytes:
    from PIL import Image

    picture = Image.fromarray(frame)
    picture.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _plain_pieces(turns: Sequence[Turn], clips: Sequence[VideoClip]) -> Iterator[Piece]:
    """Turns as they are written, with clips in the places of their markers."""
    left = iter(clips)
    for turn in turns:
        kind = "learned" if turn.role == "assistant" else "given"
        parts = turn.text.split(VIDEO_TOKEN) if turn.role == "user" else [turn.text]
        for number, text in enumerate(parts):
            if number:
                count = len(next(left))
                yield Piece("visual", "image" if count == 1 else f"{count} frames", turn.role)
            if text:
                yield Piece(kind, text, turn.role)


def _exact_pieces(conversation: Conversation, processor: Any) -> tuple[list[Piece], int]:
    """The text that training gives the model, and its length in tokens."""
    from longpanda.processing.labels import IGNORED
    from longpanda.processing.training_rows import pack_row

    timelines = [processor.image_processor.timeline(clip) for clip in conversation.clips]
    row = pack_row(processor, [conversation], timelines)
    kinds = [
        "visual" if token == processor.video_token_id else "given" if label == IGNORED else "learned"
        for token, label in zip(row.input_ids, row.labels, strict=True)
    ]
    pieces, start = [], 0
    for end in range(1, len(kinds) + 1):
        if end == len(kinds) or kinds[end] != kinds[start]:
            is_visual = kinds[start] == "visual"
            text = f"{end - start} visual" if is_visual else _text_of(processor.tokenizer, row.input_ids, start, end)
            pieces.append(Piece(kinds[start], text))
            start = end
    return pieces, len(kinds)


def _text_of(tokenizer: Any, ids: Sequence[int], start: int, end: int) -> str:
    """What some tokens of a text are written as; with one more before them, since some decoders drop a first space."""
    before = max(0, start - 1)
    texts = [tokenizer.decode(one, clean_up_tokenization_spaces=False) for one in (ids[before:start], ids[before:end])]
    return str(texts[1]).removeprefix(str(texts[0]))
