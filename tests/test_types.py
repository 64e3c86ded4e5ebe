"""Values refuse what they cannot be."""

import numpy as np
import pytest

from longpanda.errors import VideoError
from longpanda.types import VideoClip

FRAMES, TIMES = np.zeros((2, 4, 4, 3), np.uint8), np.arange(2.0)


@pytest.mark.parametrize(
    ("frames", "times", "message"),
    [
        (FRAMES.tolist(), TIMES, "frames of type list"),
        (FRAMES, [0.0, 1.0], "times of type list"),
        (FRAMES.astype(np.float32), TIMES, "frames float32"),
        (FRAMES[0], TIMES, "none of them 0"),
        (FRAMES[:0], TIMES[:0], "none of them 0"),
        (FRAMES[:, :0], TIMES, "none of them 0"),
        (FRAMES, TIMES[:1], "one time per frame"),
        (FRAMES, TIMES[::-1], "decrease"),
        (FRAMES, TIMES * np.nan, "not finite"),
    ],
)
def test_a_clip_that_is_none_is_refused(frames, times, message):
    with pytest.raises(VideoError, match=message):
        VideoClip(frames, times, 2.0)


def test_the_public_surface_can_be_listed():
    import longpanda

    assert {"load", "compose", "Session", "LongPandaProcessor"} <= set(dir(longpanda))
    assert all(getattr(longpanda, name) for name in dir(longpanda))
