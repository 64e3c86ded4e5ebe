"""When each picture is shown is told by the packets, as the decoder would show it."""

import numpy as np
import pytest

from longpanda.errors import VideoError
from longpanda.video import FrameTimes, encode, frame_times, iter_frames
from longpanda.video.opened import DecodeSpec, OpenVideo


@pytest.fixture
def film(tmp_path):
    frames = [np.full((64, 96, 3), number, np.uint8) for number in range(30)]
    encode(frames, tmp_path / "film.mp4", 10, gop=7)
    return tmp_path / "film.mp4"


def test_times_are_those_at_which_frames_are_shown(film):
    found = frame_times(film)
    with OpenVideo(DecodeSpec(film)) as video:
        shown = [frame.pts_seconds for frame in video.every()]
    np.testing.assert_allclose(found.seconds, shown, atol=1e-9)
    assert found.is_keyframe[0]
    assert 0 < found.is_keyframe.sum() < len(found)
    assert repr(found) == f"FrameTimes(30 pictures, {int(found.is_keyframe.sum())} keyframes)"
    answered = list(iter_frames(film, found.seconds))
    assert [frame.pts_seconds for frame in answered] == pytest.approx(shown)


def test_what_is_no_video_has_no_times(tmp_path):
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(VideoError):
        frame_times(tmp_path / "notes.txt")


def test_a_mark_for_each_picture_is_needed():
    with pytest.raises(VideoError, match="one time and one mark for each picture"):
        FrameTimes(np.zeros(3), np.zeros(2, np.bool_))
