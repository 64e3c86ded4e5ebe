"""Text with media markers to token ids: each marker becomes, per group of frames, a time and placeholders."""

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
"""The bundled model's."""

PLAIN_TEMPLATE = (
    "{% if begins_with_bos %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""For tokenizers of language models that never learned a chat format. It writes bos_token where the tokenizer
would put that before a text by itself."""


def timestamp(second: float) -> str:
    """A time as the model reads it, minutes unbounded: 3725.4 -> "[62:05]"."""
    return f"[{int(second) // 60}:{int(second) % 60:02d}]"


def media_ids(tokenizer: Any, timeline: Timeline, placeholder_id: int) -> list[int]:
    """Ids of one clip: a group's time as text, where one is written, and then its placeholders."""
    ids: list[int] = []
    apart, written = timeline.times_seconds, -math.inf
    for second, tokens in zip(timeline.starts_seconds, timeline.group_tokens, strict=True):
        if tokens and apart is not None and second - written >= apart:
            ids.extend(_text_ids(tokenizer, timestamp(second)))
            written = second
        ids.extend([placeholder_id] * tokens)
    return ids


@lru_cache(maxsize=65536)
def _text_ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def expand(ids: Sequence[int], media: Sequence[list[int]], placeholder_id: int) -> Prompt:
    """Put each clip's ids in the place of its marker.

    Raises:
        PromptError: the text has more or fewer markers than there are clips.
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
