"""A model's answer with its costs, and the evidence for it."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from longpanda.types.questions import Reply

ANSWER_TOKENS: Final = 64
"""Default limit on the length of an answer, in tokens."""


@dataclass(frozen=True)
class Evidence:
    """A stretch of the video that supports an answer.

    Args:
        start_seconds: start of the stretch.
        end_seconds: end of the stretch.
        weight: its share of all evidence for the answer, 0 to 1.
    """

    start_seconds: float
    end_seconds: float
    weight: float


_IN_WORDS: Final = {True: "{}", False: "not {}", None: "unknown whether {}"}


@dataclass(frozen=True)
class Verification:
    """Whether the answer depends on the evidence.

    An answer that is empty or was cut off proves nothing: the flags that depend on it are None.

    Args:
        only: the model's answer when it sees the evidence alone.
        without: the model's answer when it sees everything except the evidence and its neighbourhood, which shows
            much the same; None if that leaves nothing.
        is_supported: whether the evidence alone gives the same answer; None if unknown.
        is_necessary: whether the answer changes without the evidence; None if unknown or if `without` is None.
    """

    only: str
    without: str | None
    is_supported: bool | None
    is_necessary: bool | None

    @property
    def verdict(self) -> str:
        """The result in words, to be shown beside the evidence."""
        supported = _IN_WORDS[self.is_supported].format("supported")
        if self.without is None:
            return f"{supported}, all that was looked at"
        return f"{supported}, {_IN_WORDS[self.is_necessary].format('necessary')}"


@dataclass(frozen=True)
class Answer:
    """A model's answer and what it cost.

    Args:
        text: the answer.
        pts_seconds: times of the frames the model looked at.
        duration_seconds: length of the video.
        visual_tokens: visual tokens in the prompt, over all frames.
        seconds: wall seconds by stage ("decode": waiting for frames, "encode_frames", "generate").
        peak_memory_bytes: peak resident memory of the process.
        model: name or path of the model.
        path: path of the video.
        notice: a limitation that the reader of the answer should know of, or "".
        evidence: stretches of the video that support the answer, the largest weight first; empty if evidence was not
            requested, or if no part stands out, which the notice then says.
        verification: whether the answer depends on the evidence; None if evidence was not requested or none was found.
        is_cut: whether the answer stopped at the token limit before the model ended it.
    """

    text: str
    pts_seconds: tuple[float, ...]
    duration_seconds: float
    visual_tokens: int
    seconds: dict[str, float]
    peak_memory_bytes: int
    model: str
    path: str
    notice: str = ""
    evidence: tuple[Evidence, ...] = ()
    verification: Verification | None = None
    is_cut: bool = False

    @property
    def reply(self) -> Reply:
        """The answer as a benchmark records it, without decoding time: a video is decoded once for many questions."""
        spent = sum(seconds for stage, seconds in self.seconds.items() if stage != "decode")
        ended = "length" if self.is_cut else "stop"
        costs = self.pts_seconds, self.visual_tokens, spent, self.peak_memory_bytes
        return Reply(self.text, *costs, finish_reason=ended)

    def as_dict(self) -> dict[str, Any]:
        """The object that `longpanda ask --json` prints."""
        checked = self.verification
        return {
            "answer": self.text,
            "video": {
                "path": self.path,
                "duration_seconds": self.duration_seconds,
                "frames_used": len(self.pts_seconds),
                "first_second": self.pts_seconds[0],
                "last_second": self.pts_seconds[-1],
            },
            "visual_tokens": self.visual_tokens,
            "timings": self.seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "model": self.model,
            "notice": self.notice,
            "evidence": [asdict(one) for one in self.evidence],
            "verification": None if checked is None else {"verdict": checked.verdict, **asdict(checked)},
        }
