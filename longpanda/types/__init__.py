"""Data types shared by all packages. They are frozen, validate themselves and show their shapes in `repr`."""

from longpanda.types.answers import ANSWER_TOKENS, Answer, Evidence, Verification
from longpanda.types.media import (
    INDEX_SUFFIX,
    VIDEO_TOKEN,
    Counts,
    Frames,
    Prompt,
    Seconds,
    Timeline,
    VideoClip,
    VisualTokens,
    is_index,
)
from longpanda.types.questions import Conversation, Example, Facts, Pack, Reply, Sample, Score, Turn

__all__ = [
    "ANSWER_TOKENS",
    "INDEX_SUFFIX",
    "VIDEO_TOKEN",
    "Answer",
    "Conversation",
    "Counts",
    "Evidence",
    "Example",
    "Facts",
    "Frames",
    "Pack",
    "Prompt",
    "Reply",
    "Sample",
    "Score",
    "Seconds",
    "Timeline",
    "Turn",
    "Verification",
    "VideoClip",
    "VisualTokens",
    "is_index",
]
