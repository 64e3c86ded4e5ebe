"""The values that cross package borders. All are frozen, validate themselves and print their shapes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from longpanda.errors import PromptError, VideoError

Frames = npt.NDArray[np.uint8]
Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VideoClip:
    """Frames of one video (or one image: T = 1) with their true presentation times.

    Args:
        frames: uint8 [T, H, W, 3], RGB, upright, square pixels.
        pts_seconds: float64 [T], never decreasing: when each frame is shown, from the start of the video.
        duration_seconds: length of the video the frames were taken from.
        path: where the frames came from ("" for arrays).
        frames_promised: frames that were asked for; more than T when the file is damaged or shorter than it says.
    """

    frames: Frames
    pts_seconds: Seconds
    duration_seconds: float
    path: str = ""
    frames_promised: int | None = None

    def __post_init__(self) -> None:
        f, t = self.frames, self.pts_seconds
        if not all(isinstance(values, np.ndarray) for values in (f, t)):
            kinds = f"frames of type {type(f).__name__}, times of type {type(t).__name__}"
            raise VideoError(kinds, "numpy arrays", "wrap them in np.asarray")
        if f.dtype != np.uint8 or f.ndim != 4 or f.shape[-1] != 3 or f.size == 0:
            raise VideoError(
                f"frames {f.dtype} {list(f.shape)}", "uint8 [T, H, W, 3], none of them 0", "convert them first"
            )
        if t.shape != (f.shape[0],):
            raise VideoError(
                f"{f.shape[0]} frames with times of shape {list(t.shape)}", "one time per frame", "pass both"
            )
        if not np.all(np.isfinite(t)) or np.any(np.diff(t) < 0):
            raise VideoError("times that decrease or are not finite", "non-decreasing seconds", "sort frames by time")

    def __repr__(self) -> str:
        t, h, w, _ = self.frames.shape
        span = f"{self.pts_seconds[0]:.2f}-{self.pts_seconds[-1]:.2f} of {self.duration_seconds:.2f} s"
        return f"VideoClip({t} frames of {w}x{h} px, {span}, {self.path or 'from memory'!r})"

    def __len__(self) -> int:
        return int(self.frames.shape[0])


@dataclass(frozen=True)
class Prompt:
    """Text as token ids, with one run of placeholders per frame.

    Args:
        input_ids: the tokens; `frame_tokens[i]` placeholders in a row stand for frame i.
        frame_tokens: placeholders per frame, in order, over all videos and images of the prompt.
        placeholder_id: the id of the placeholder.
    """

    input_ids: tuple[int, ...]
    frame_tokens: tuple[int, ...]
    placeholder_id: int

    def __post_init__(self) -> None:
        found, want = self.input_ids.count(self.placeholder_id), sum(self.frame_tokens)
        if found != want:
            raise PromptError(
                f"{found} visual placeholders in the text",
                f"{want} for {len(self.frame_tokens)} frames",
                "build prompts with LongPandaProcessor, and do not truncate them",
            )

    def __repr__(self) -> str:
        visual = sum(self.frame_tokens)
        return f"Prompt({len(self.input_ids)} tokens, {visual} of them visual, {len(self.frame_tokens)} frames)"


@dataclass(frozen=True)
class Sample:
    """One question on one video with its true answer.

    Args:
        question: the text asked.
        target: the true answer, as the model is to write it.
        family: question family, for example "needle".
        video: path or identifier of the video.
        evidence_seconds: (start, end) intervals that show the answer.
        metadata: whatever the source knows beyond that.
    """

    question: str
    target: str
    family: str
    video: str = ""
    evidence_seconds: tuple[tuple[float, float], ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Sample":
        """The sample that `asdict` and JSON made `values` of. Raises KeyError and TypeError where they did not."""
        evidence = tuple((start, end) for start, end in values["evidence_seconds"])
        return cls(**values | {"evidence_seconds": evidence})


@dataclass(frozen=True)
class Lesson:
    """What training learns from: one clip and every question asked of it.

    Args:
        clip: the frames.
        samples: the questions; none teaches by `cell_labels` alone.
        cell_labels: int64 [T, cells, A], the class of each of A attributes in each cell of a frame, row by row; None
            where nothing is known of the cells, as with natural video.
    """

    clip: VideoClip
    samples: tuple[Sample, ...]
    cell_labels: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Reply:
    """What an answerer says to one question, and what that cost, as far as it tells.

    Args:
        text: the answer.
        frames_seconds: when the frames were shown that it looked at.
        visual_tokens: in the prompt.
        seconds: spent on this answer.
        peak_memory_bytes: of the process.
    """

    text: str
    frames_seconds: tuple[float, ...] = ()
    visual_tokens: int | None = None
    seconds: float | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class Score:
    """What one answer earned.

    Args:
        value: 1.0 is right, 0.0 is wrong.
        reply: what was said.
        sample: the question.
        error: why nothing could be scored; the value is then 0.
        partial: 0 to 1, how near the answer came; what that means depends on the family.
    """

    value: float
    reply: Reply
    sample: Sample
    error: str | None = None
    partial: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A model's answer and what it cost.

    Args:
        text: the answer.
        pts_seconds: times of the frames the model looked at.
        duration_seconds: length of the video.
        visual_tokens: visual tokens in the prompt, over all frames.
        seconds: wall seconds by stage ("decode", "encode_frames", "generate").
        peak_memory_bytes: peak resident memory of the process.
        model: name or path of the model.
        path: the video asked.
        notice: a limit the reader of the answer should know of, or "".
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

    @property
    def reply(self) -> Reply:
        """The answer as a benchmark records it; the video is read once for many, so that reading is not counted."""
        spent = sum(seconds for stage, seconds in self.seconds.items() if stage != "decode")
        return Reply(self.text, self.pts_seconds, self.visual_tokens, spent, self.peak_memory_bytes)

    def as_dict(self) -> dict[str, Any]:
        """The object that `longpanda ask --json` prints."""
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
        }
