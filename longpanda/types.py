"""The values that cross package borders. All are frozen, validate themselves and print their shapes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from longpanda.errors import PromptError, VideoError, counted

if TYPE_CHECKING:
    from torch import Tensor

Frames = npt.NDArray[np.uint8]
Seconds = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
INDEX_SUFFIX = ".vidx"
ANSWER_TOKENS = 64
"""The longest answer, where nobody says."""


def is_index(path: Path) -> bool:
    """Is this the folder of a stored index, or the name of one that is not there, and not a video?"""
    return path.is_dir() or (path.suffix == INDEX_SUFFIX and not path.exists())


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
                f"{counted(len(f), 'frame')} with times of shape {list(t.shape)}", "one time per frame", "pass both"
            )
        if not np.all(np.isfinite(t)) or np.any(np.diff(t) < 0):
            raise VideoError("times that decrease or are not finite", "non-decreasing seconds", "sort frames by time")

    def __repr__(self) -> str:
        t, h, w, _ = self.frames.shape
        span = f"{self.pts_seconds[0]:.2f}-{self.pts_seconds[-1]:.2f} of {self.duration_seconds:.2f} s"
        return f"VideoClip({counted(t, 'frame')} of {w}x{h} px, {span}, {self.path or 'from memory'!r})"

    def __len__(self) -> int:
        return int(self.frames.shape[0])


@dataclass(frozen=True)
class Timeline:
    """How a clip stands in a prompt: groups of frames, each with its time and as many placeholders as it has tokens.

    Args:
        starts_seconds: when the first frame of each group is shown, never decreasing.
        group_tokens: visual tokens of each group. A group without any is not in the prompt, nor is its time.
        times_seconds: least time from one written time to the next, 0 to write every group's; None writes none, as for
            a lone image.

    Raises:
        PromptError: groups and numbers of tokens do not match.
    """

    starts_seconds: tuple[float, ...]
    group_tokens: tuple[int, ...]
    times_seconds: float | None = 0.0

    def __post_init__(self) -> None:
        if len(self.starts_seconds) != len(self.group_tokens):
            found = f"{len(self.starts_seconds)} groups of frames, {len(self.group_tokens)} numbers of tokens"
            raise PromptError(found, "a number of tokens for each group", "pass both")

    def __len__(self) -> int:
        return len(self.starts_seconds)


@dataclass(frozen=True, eq=False)
class VisualTokens:
    """What is kept of a video: its visual tokens, before the projector, with true times.

    Groups of frames follow one another; they may have different numbers of tokens and of frames.

    Args:
        values: [V, C], the tokens of all groups.
        token_offsets: int64 [G + 1], where in `values` each group begins, and where the last one ends.
        frames_seconds: float64 [F], never decreasing: when each frame looked at is shown.
        frame_offsets: int64 [G + 1], where in `frames_seconds` each group begins, and where the last one ends.
        duration_seconds: length of the video.
        seen_seconds: how far of it was looked at; less where the rest could not be read, or was not yet.

    Raises:
        VideoError: offsets that do not belong to the tokens and the frames, or times that decrease.
    """

    values: "Tensor"
    token_offsets: Counts
    frames_seconds: Seconds
    frame_offsets: Counts
    duration_seconds: float
    seen_seconds: float

    def __post_init__(self) -> None:
        tokens, frames = self.token_offsets, self.frame_offsets
        if self.values.ndim != 2 or len(tokens) != len(frames) or _span(tokens) != (0, len(self.values)):
            found = f"tokens {list(self.values.shape)}, {len(tokens)} and {len(frames)} offsets, {_span(tokens)}"
            raise VideoError(found, "[V, C] and offsets from 0 to V, one more than groups", "pass both kinds")
        if _span(frames) != (0, len(self.frames_seconds)) or np.any(np.diff(tokens) < 0) or np.any(np.diff(frames) < 1):
            found = f"{len(self.frames_seconds)} frames with offsets {_span(frames)}"
            raise VideoError(found, "offsets that grow, from 0 to the number of frames", "pass those of all groups")
        if np.any(np.diff(self.frames_seconds) < 0):
            raise VideoError("frames out of order", "times that never decrease", "sort them")

    def __repr__(self) -> str:
        each = np.unique(self.group_tokens)
        per_group = f"{each[0]}" if len(each) == 1 else f"{each[0]} to {each[-1]}"
        frames, minutes = counted(len(self.frames_seconds), "frame"), self.duration_seconds / 60
        size = f"{counted(len(self), 'group')} of {per_group} x {self.values.shape[1]}"
        return f"VisualTokens({size}, {frames} of {minutes:.1f} min)"

    def __len__(self) -> int:
        return len(self.token_offsets) - 1

    @property
    def group_tokens(self) -> Counts:
        """Tokens of each group: int64 [G]."""
        return np.diff(self.token_offsets)

    @property
    def starts_seconds(self) -> Seconds:
        """When the first frame of each group is shown: float64 [G], never decreasing."""
        return self.frames_seconds[self.frame_offsets[:-1]]

    @property
    def ends_seconds(self) -> Seconds:
        """When the last frame of each group is shown: float64 [G]."""
        return self.frames_seconds[self.frame_offsets[1:] - 1]

    def frames_of(self, groups: Sequence[int]) -> Seconds:
        """When the frames of these groups are shown: float64, in the groups' order."""
        return self.frames_seconds[_inside(self.frame_offsets, groups)]

    def values_of(self, groups: Sequence[int]) -> "Tensor":
        """The tokens of these groups [N, C], in the groups' order."""
        return self.values[_inside(self.token_offsets, groups)]

    @property
    def count(self) -> int:
        """Visual tokens in all."""
        return len(self.values)


def _span(offsets: Counts) -> tuple[int, int]:
    return (int(offsets[0]), int(offsets[-1])) if len(offsets) else (-1, -1)


def _inside(offsets: Counts, groups: Sequence[int]) -> Counts:
    """Numbers of all that lies in these groups, one group after the other."""
    parts = [np.arange(offsets[group], offsets[group + 1]) for group in groups]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


@dataclass(frozen=True)
class Prompt:
    """Text as token ids, with a run of placeholders for each group of frames.

    Args:
        input_ids: the tokens.
        visual_tokens: placeholders among them, over all videos and images of the prompt.
        placeholder_id: the id of the placeholder.
    """

    input_ids: tuple[int, ...]
    visual_tokens: int
    placeholder_id: int

    def __post_init__(self) -> None:
        found = self.input_ids.count(self.placeholder_id)
        if found != self.visual_tokens:
            raise PromptError(
                f"{counted(found, 'visual placeholder')} in the text",
                f"{self.visual_tokens}, the visual tokens of the media",
                "build prompts with LongPandaProcessor, and do not truncate them",
            )

    def __repr__(self) -> str:
        return f"Prompt({counted(len(self.input_ids), 'token')}, {self.visual_tokens} of them visual)"


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
class Example:
    """What training learns from: one clip and every question asked of it.

    Args:
        clip: the frames.
        samples: the questions; none teaches by `cell_labels` alone.
        cell_labels: int64 [T, rows, columns, A], the class of each of A attributes in each region of a frame, on a
            grid of the labels' own; None where nothing is known of the regions, as with natural video.
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
        prompt_tokens: read, pictures and text, as the answerer counts them.
        answer_tokens: written, thinking and answer.
        finish_reason: why the answer ended, in the words of chat completions: "stop" where it is whole, "length" where
            it was cut off; None where that is not told.
        thinking: what was written on the way to the answer, and is no part of it.
    """

    text: str
    frames_seconds: tuple[float, ...] = ()
    visual_tokens: int | None = None
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    finish_reason: str | None = None
    thinking: str = ""


@dataclass(frozen=True)
class Score:
    """What one answer earned.

    Args:
        value: 1.0 is right, 0.0 is wrong.
        reply: what was said.
        sample: the question.
        error: why nothing could be scored; the value is then 0.
        partial: 0 to 1, how near the answer came; what that means depends on the family.
        error_kind: the `ErrorKind` of the error; "" where there is none, or in results from before kinds were kept.
    """

    value: float
    reply: Reply
    sample: Sample
    error: str | None = None
    partial: float = 0.0
    error_kind: str = ""


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
