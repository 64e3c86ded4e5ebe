"""The values that cross package borders. All are frozen, validate themselves and print their shapes."""

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
from longpanda.types.questions import Example, Facts, Reply, Sample, Score

__all__ = [
    "ANSWER_TOKENS",
    "INDEX_SUFFIX",
    "VIDEO_TOKEN",
    "Answer",
    "Counts",
    "Evidence",
    "Example",
    "Facts",
    "Frames",
    "Prompt",
    "Reply",
    "Sample",
    "Score",
    "Seconds",
    "Timeline",
    "Verification",
    "VideoClip",
    "VisualTokens",
    "is_index",
]
