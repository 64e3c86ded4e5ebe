"""Text with media markers to token ids. A marker becomes a time and placeholders for each group of frames."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from longpanda.errors import PromptError, counted
from longpanda.types import VIDEO_TOKEN, Prompt, Timeline

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|answer|>{{ message['content'] }}<|end|>"
    "{% else %}{{ message['content'] | replace('\n', '<|question|>') }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|answer|>{% endif %}"
)
"""The chat template of the bundled models."""

PLAIN_TEMPLATE = (
    "{% if begins_with_bos %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""A chat template for language models that were not trained on any chat format. It writes bos_token if the tokenizer
would put it before a text."""


def timestamp(second: float) -> str:
    """Write a time for the model, in minutes and seconds: 3725.4 -> "[62:05]"."""
    return f"[{int(second) // 60}:{int(second) % 60:02d}]"


def media_ids(tokenizer: Any, timeline: Timeline, placeholder_id: int) -> list[int]:
    """Return the ids of one clip: for each group its time, if one is written, and then its placeholders."""
    ids: list[int] = []
    interval, written = timeline.times_seconds, -math.inf
    for second, tokens in zip(timeline.starts_seconds, timeline.group_tokens, strict=True):
        if tokens and interval is not None and second - written >= interval:
            ids.extend(_text_ids(tokenizer, timestamp(second)))
            written = second
        ids.extend([placeholder_id] * tokens)
    return ids


@lru_cache(maxsize=65536)
def _text_ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def expand(ids: Sequence[int], media: Sequence[list[int]], placeholder_id: int) -> Prompt:
    """Replace each marker by the ids of its clip.

    Raises:
        PromptError: the numbers of markers and clips differ.
    """
    markers = list(ids).count(placeholder_id)
    if markers != len(media):
        raise PromptError(
            f"{counted(markers, f'{VIDEO_TOKEN} marker')} in the text",
            f"{len(media)}, one per video or image",
            f"write {VIDEO_TOKEN} once for each, in order",
        )
    clips = iter(media)
    out: list[int] = []
    for token in ids:
        out.extend(next(clips) if token == placeholder_id else [token])
    return Prompt(tuple(out), sum(clip.count(placeholder_id) for clip in media), placeholder_id)
