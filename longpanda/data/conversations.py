"""Records to training conversations: which frames, how many tokens, and the turns as the model gets them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from longpanda.data.frame_choice import FrameChoice, time_message, with_time_messages
from longpanda.data.media import MediaFile, find_media, probe_media
from longpanda.data.media_facts import MediaFacts
from longpanda.data.mixture import Source
from longpanda.data.schema import Media, Record
from longpanda.errors import ConfigError, LongPandaError, counted
from longpanda.types import Conversation, Seconds, VideoClip

if TYPE_CHECKING:
    from longpanda.processing import LongPandaProcessor

FactsOf = Callable[[Media, Source], MediaFacts]
"""Gives what is known of an image or a video of a source: `Manifest.facts`, or `probed`. Raises MediaError."""
_ROUNDING = 1e-6


class TooLongError(LongPandaError):
    """A conversation that is longer than the budget even with one frame of each video."""


@dataclass(frozen=True)
class ConversationRules:
    """How a record becomes a conversation.

    Args:
        choice: which frames of a video are looked at.
        time_message: style of the message behind each video's marker, see `frame_choice.time_message`.
        max_tokens: the longest conversation; a longer one is shortened in frames. 0 for no limit.

    Raises:
        ConfigError: an unknown style, or a limit below 0.
    """

    choice: FrameChoice = field(default_factory=FrameChoice)
    time_message: str = ""
    max_tokens: int = 0

    def __post_init__(self) -> None:
        time_message(self.time_message, 0.0, ())
        if self.max_tokens < 0:
            raise ConfigError(f"max_tokens {self.max_tokens}", "0 or more", "use the budget of a pack")


@dataclass(frozen=True)
class ConversationPlan:
    """What a conversation takes, known before its media are opened.

    Args:
        tokens: of its row in a batch, see `plan_conversation`.
        most_frames: of each video; None if no video had to be shortened.
    """

    tokens: int
    most_frames: int | None = None


def facts_of(record: Record, source: Source, facts: FactsOf) -> list[MediaFacts]:
    """What is known of a record's media, each reduced to the annotated part.

    Raises:
        MediaError: one of them cannot be used.
    """
    return [facts(media, source).part(media) for media in record.media]


def probed(media: Media, source: Source) -> MediaFacts:
    """Look at the file itself, once in a process: for data so small that it needs no manifest.

    Raises:
        MediaError: the source has no root folder.
    """
    return _probed(find_media(media, source))


@lru_cache(maxsize=65536)
def _probed(file: MediaFile) -> MediaFacts:
    return probe_media(file)


def plan_conversation(
    processor: "LongPandaProcessor", record: Record, parts: Sequence[MediaFacts], rules: ConversationRules
) -> ConversationPlan:
    """Count a conversation's tokens without opening its media, and shorten its videos where it is too long.

    Text and visual tokens are exact. A written time may take a token more or less where frames are not evenly spaced,
    and a model that writes times at least some seconds apart may write others.

    Of a conversation that is too long, all videos are limited to one number of frames, the largest that fits: so the
    longest videos lose frames and nothing else does.

    Args:
        processor: of the model.
        record: the conversation.
        parts: as `facts_of`.
        rules: how it is shown.

    Raises:
        PromptError: the chat format does not take its messages.
        TooLongError: it does not fit with one frame of each video.
    """
    tokens = _tokens(processor, record, parts, rules, rules.choice)
    if not rules.max_tokens or tokens <= rules.max_tokens:
        return ConversationPlan(tokens)
    fits, beyond = 0, max((_frames(part, rules.choice) for part in parts), default=1)
    found = ConversationPlan(tokens)
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        tokens = _tokens(processor, record, parts, rules, rules.choice.limited(middle))
        if tokens <= rules.max_tokens:
            fits, found = middle, ConversationPlan(tokens, middle)
        else:
            beyond = middle
    if not fits:
        said = f"a conversation of {counted(found.tokens, 'token')} that no fewer frames make short enough"
        raise TooLongError(said, f"at most {rules.max_tokens:,}", "allow longer packs, or delete the record")
    return found


def conversation(record: Record, clips: Sequence[VideoClip], rules: ConversationRules) -> Conversation:
    """A record as training takes it.

    Args:
        record: what was asked and answered.
        clips: of its media, in order.
        rules: as in `plan_conversation`.
    """
    messages = [
        _message(rules.time_message, media, clip.duration_seconds, clip.pts_seconds)
        for media, clip in zip(record.media, clips, strict=True)
    ]
    return Conversation(tuple(clips), with_time_messages(record.turns, messages))


def _message(style: str, media: Media, duration_seconds: float, seconds: Seconds) -> str:
    return time_message(style, duration_seconds, seconds) if media.kind == "video" else ""


def _tokens(
    processor: "LongPandaProcessor",
    record: Record,
    parts: Sequence[MediaFacts],
    rules: ConversationRules,
    choice: FrameChoice,
) -> int:
    """Tokens of the row that `pack_row` makes of the conversation alone."""
    from longpanda.processing.prompt import media_ids
    from longpanda.processing.training_rows import conversation_ids

    seconds = [_seconds(media, part, choice) for media, part in zip(record.media, parts, strict=True)]
    messages = [
        _message(rules.time_message, media, part.duration_seconds, times)
        for media, part, times in zip(record.media, parts, seconds, strict=True)
    ]
    ids, _ = conversation_ids(processor, with_time_messages(record.turns, messages))
    total, frames = len(ids) - len(parts), processor.image_processor
    for part, times in zip(parts, seconds, strict=True):
        starts = times[:: frames.frames_per_group].tolist()
        group = frames.tokens_per_group(part.height_px, part.width_px)
        timeline = frames.timeline_of(starts, [group] * len(starts), len(times) > 1)
        total += len(media_ids(processor.tokenizer, timeline, processor.video_token_id))
    return total


def _frames(part: MediaFacts, choice: FrameChoice) -> int:
    return 1 if part.kind == "image" else choice.count(part.duration_seconds, part.frames)


def _seconds(media: Media, part: MediaFacts, choice: FrameChoice) -> Seconds:
    """When the frames that are looked at are shown, if they are evenly spaced."""
    if part.kind == "image":
        return np.zeros(1)
    wanted = choice.seconds(part.duration_seconds, part.frames)
    if not part.fps:
        return wanted
    start = media.start_seconds or 0.0
    shown = np.floor((wanted + start) * part.fps + _ROUNDING) / part.fps
    return np.maximum(shown - start, 0.0)
