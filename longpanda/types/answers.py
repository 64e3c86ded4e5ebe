"""What a model answers, what that cost, and where in the video it comes from."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from longpanda.types.questions import Reply

ANSWER_TOKENS: Final = 64
"""Default limit on the length of an answer, in tokens."""


@dataclass(frozen=True)
class Evidence:
    """A stretch of video that an answer comes from.

    Args:
        start_seconds: when it begins.
        end_seconds: when it ends.
        weight: its share of all that speaks for the answer, 0 to 1.
    """

    start_seconds: float
    end_seconds: float
    weight: float


_IN_WORDS: Final = {True: "{}", False: "not {}", None: "unknown whether {}"}


@dataclass(frozen=True)
class Verification:
    """Whether the evidence carries the answer.

    An answer that is empty or was cut off says nothing: what hangs on it is unknown.

    Args:
        only: the answer from the evidence alone.
        without: the answer from all but the evidence and what is next to it, which shows much the same; None where that
            is everything.
        is_supported: the evidence alone gives the same answer; None where that is unknown.
        is_necessary: without the evidence the answer is another; None where that is unknown, and as `without`.
    """

    only: str
    without: str | None
    is_supported: bool | None
    is_necessary: bool | None

    @property
    def verdict(self) -> str:
        """What evidence is worth, to be shown beside it."""
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
        seconds: wall seconds by stage ("decode": waited for frames, "encode_frames", "generate").
        peak_memory_bytes: peak resident memory of the process.
        model: name or path of the model.
        path: the video asked.
        notice: a limit the reader of the answer should know of, or "".
        evidence: where in the video the answer comes from, the heaviest first; empty where nobody asked, and where no
            part stands out, which the notice then says.
        verification: whether it does; None where nobody asked, and where there is no evidence.
        is_cut: the answer ended at the most tokens that were asked for, and not where the model would have ended it.
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
        """The answer as a benchmark records it; the video is read once for many, so that reading is not counted."""
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
