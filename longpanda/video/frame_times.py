"""Read when each picture of a file is shown, and which pictures are keyframes."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from longpanda.errors import VideoError
from longpanda.types import Seconds
from longpanda.video.source import Source
from longpanda.video.survey import survey


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """The pictures of a file in display order.

    Args:
        seconds: float64 [P], never decreasing: when each begins to be shown.
        is_keyframe: bool [P], whether it can be decoded without another picture.

    Raises:
        VideoError: the arrays have different lengths.
    """

    seconds: Seconds
    is_keyframe: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.seconds.shape != self.is_keyframe.shape or self.seconds.ndim != 1:
            found = f"times {list(self.seconds.shape)} and marks {list(self.is_keyframe.shape)}"
            raise VideoError(found, "one time and one mark for each picture", "pass both")

    def __repr__(self) -> str:
        return f"FrameTimes({len(self.seconds)} pictures, {int(self.is_keyframe.sum())} keyframes)"

    def __len__(self) -> int:
        return len(self.seconds)


def frame_times(path: str | Path) -> FrameTimes:
    """Read when each picture is shown, from the packets of a local file. Raises VideoError as `probe`."""
    with closing(Source(path)) as source:
        timeline = survey(source)
    seconds = (timeline.times - timeline.origin).astype(np.float64) * float(timeline.time_base)
    marks = np.zeros(len(timeline), np.bool_)
    marks[timeline.key_places] = True
    return FrameTimes(seconds, marks)
