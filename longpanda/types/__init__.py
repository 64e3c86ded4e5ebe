"""Data types shared by all packages. They are frozen, validate themselves and show their shapes in `repr`."""

from longpanda.types.answers import ANSWER_TOKENS, Answer, Evidence, Verification
from longpanda.types.media import (
    INDEX_SUFFIX,
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
