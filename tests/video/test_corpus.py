"""Films of the corpus that need no other program: every picture is shown, at its place, however it is asked for.

`python -m benchmarks.pictures` does this for all of the corpus, against FFmpeg's command line.
"""

import dataclasses

import numpy as np
import pytest

from benchmarks.corpus.case import UnavailableError, make
from benchmarks.corpus.counter import number_in
from benchmarks.corpus.table import CASES
from longpanda.video import decode, iter_frames, probe

BY_NAME = {case.name: case for case in CASES}
ALL_SHOWN = [
    "jump_two_clocks.ts",
    "jump_two_clocks.vob",
    "jump_two_clocks.flv",
    "jump_thrice.ts",
    "jump_wrap.ts",
    "jump_hour.ts",
    "jump_back_half.ts",
    "jump_back.mkv",
    "jump_within_b.ts",
    "h264_pyramid.avi",
    "h264_pyramid.asf",
    "h264_pyramid.vob",
    "h264_pyramid.mxf",
    "mpeg4_b.avi",
    "order_pts_is_dts.mkv",
    "order_no_times.ts",
    "h264_pyramid.h264",
    "hevc_open.hevc",
    "mpeg2.m2v",
    "rv20.rm",
    "flv1.swf",
    "two.flv",
    "wrong_earlier.mkv",
    "wrong_earlier.ts",
    "vp9_hidden.webm",
    "hidden_split_av1.mkv",
    "h264_interlaced.ts",
    "h264_refresh.ts",
    "larger_midway.ts",
    "sound_longer.flv",
]
ONE_LOST = {
    "wrong_keyframe_hour.mp4": 40,
    "wrong_keyframe_hour.mkv": 40,
    "wrong_picture_hour.ts": 60,
    "wrong_picture_hour.flv": 60,
    "wrong_zero.ts": 60,
    "wrong_first_hour.mkv": 0,
    "wrong_last_hour.ts": 119,
}
EDITED = {
    "edit_two_pieces.mp4": [*range(30), *range(80, 120)],
    "edit_repeated.mp4": [*range(25, 50), *range(25, 50)],
    "edit_later_first.mp4": [*range(80, 105), *range(10, 35)],
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return tmp_path_factory.mktemp("corpus")


def made(corpus, name):
    try:
        return make(BY_NAME[name], corpus, None)
    except UnavailableError as error:
        pytest.skip(str(error))


def numbers_of(frames):
    return [number_in(pixels) for pixels in frames]


def walked(path):
    frames = list(iter_frames(path))
    times = np.array([frame.pts_seconds for frame in frames])
    assert np.all(np.diff(times) >= 0)
    return numbers_of(frame.pixels for frame in frames), times


def check_ways(path, numbers, times):
    """Asked for while it is on screen, each picture is given: together, alone, and by any number of workers."""
    ends = np.append(times[1:], times[-1] + 0.03)
    is_on_screen = ends - times > 0.01
    seconds, expected = ((times + ends) / 2)[is_on_screen], np.array(numbers)[is_on_screen].tolist()
    together = decode(path, seconds)
    assert numbers_of(together.frames) == expected
    for workers in (2, 3):
        shared = decode(path, seconds, workers=workers)
        np.testing.assert_array_equal(shared.frames, together.frames)
        np.testing.assert_array_equal(shared.pts_seconds, together.pts_seconds)
    for at in (0, len(seconds) // 3, len(seconds) - 1):
        np.testing.assert_array_equal(decode(path, seconds[at : at + 1]).frames[0], together.frames[at])


@pytest.mark.parametrize("name", ALL_SHOWN)
def test_every_picture_is_shown_at_its_place_however_it_is_asked_for(corpus, name):
    path = made(corpus, name)
    numbers, times = walked(path)
    count = {"two.flv": 2}.get(name, 120)
    assert numbers == list(range(count))
    if name != "order_no_times.ts":
        true = np.array([BY_NAME[name].true_second(number) for number in numbers])
        np.testing.assert_allclose(times - times[0], true - true[0], atol=0.003)
    check_ways(path, numbers, times)


@pytest.mark.parametrize("name", ONE_LOST)
def test_one_wrong_time_costs_one_picture_and_that_is_said(corpus, name, caplog):
    path, lost = made(corpus, name), ONE_LOST[name]
    numbers, times = walked(path)
    assert numbers == [number for number in range(120) if number != lost]
    np.testing.assert_allclose(times - times[0], (np.array(numbers) - numbers[0]) / 25, atol=0.003)
    info = probe(path)
    assert (info.wrong_times, info.clock_jumps) == (1, ())
    assert "times cannot be right: 1" in info.notice
    assert info.duration_seconds == pytest.approx((numbers[-1] - numbers[0] + 1) / 25, abs=0.05)
    around = times[(times < lost / 25 - 0.05 - numbers[0] / 25) | (times > lost / 25 + 0.05)]
    assert len(decode(path, around + 0.01)) == len(around)
    if 0 < lost < 119:
        with pytest.raises(Exception, match="has no frame at the requested seconds"):
            decode(path, [(lost + 0.5) / 25])


@pytest.mark.parametrize("name", EDITED)
def test_the_pieces_of_an_edit_list_are_shown_one_after_the_other(corpus, name):
    path = made(corpus, name)
    numbers, times = walked(path)
    assert numbers == EDITED[name]
    np.testing.assert_allclose(times, np.arange(len(numbers)) / 25, atol=0.001)
    check_ways(path, numbers, times)


def test_a_jump_of_the_clock_is_said(corpus):
    info = probe(made(corpus, "jump_two_clocks.ts"))
    (jump,) = info.clock_jumps
    assert jump.at_seconds == pytest.approx(2.4, abs=0.01)
    assert jump.by_seconds == pytest.approx(-2.4, abs=0.01)
    assert "clock jumps (-2.400 s at 2.400 s)" in info.notice
    assert info.duration_seconds == pytest.approx(4.8, abs=0.01)
    often = dataclasses.replace(info, clock_jumps=(jump,) * 40)
    assert "(-2.400 s at 2.400 s, " in often.notice
    assert "and 35 more)" in often.notice


DAMAGED = ["sprinkled.mp4", "sprinkled.mkv", "sprinkled.ts"]


@pytest.mark.parametrize("name", DAMAGED)
def test_pictures_of_damaged_groups_do_not_depend_on_what_else_is_asked_for(corpus, name):
    """Pictures that none refers to may be dropped only where nothing is patched up from them."""
    path = made(corpus, name)
    times = [frame.pts_seconds for frame in iter_frames(path)]
    together = {frame.pts_seconds: frame.pixels for frame in iter_frames(path, times)}
    for frame in iter_frames(path):
        np.testing.assert_array_equal(frame.pixels, together[frame.pts_seconds])
    for second in times[::2]:
        alone = decode(path, [second])
        np.testing.assert_array_equal(alone.frames[0], together[float(alone.pts_seconds[0])])


def test_a_stream_that_appears_on_the_way_ends_no_reading(corpus):
    """In chained Ogg, a seek finds a stream of another serial number, and PyAV's end is an IndexError."""
    path = made(corpus, "jump_two_clocks.ogv")
    times = [frame.pts_seconds for frame in iter_frames(path)]
    together = decode(path, times)
    for at in (0, 70, 119):
        np.testing.assert_array_equal(decode(path, times[at : at + 1]).frames[0], together.frames[at])


CROPPED = {  # rows and columns of the 96 x 128 pixels that are left
    "cropped.mkv": (slice(16, 88), slice(None)),
    "cropped.mp4": (slice(12, 84), slice(8, 120)),
    "cropped_aside.mp4": (slice(2, 82), slice(18, 118)),
}


@pytest.mark.parametrize("name", CROPPED)
def test_the_crop_of_the_container_is_applied(corpus, name):
    path, whole = made(corpus, name), made(corpus, "h264_pyramid.mp4")
    stored = decode(whole, [1.0]).frames[0]
    assert (probe(path).height_px, probe(path).width_px) == stored[CROPPED[name]].shape[:2]
    np.testing.assert_array_equal(decode(path, [1.0]).frames[0], stored[CROPPED[name]])


def test_a_crop_comes_before_a_turn(corpus):
    info = probe(made(corpus, "cropped_turned.mp4"))
    assert (info.width_px, info.height_px, info.rotation_degrees % 180) == (72, 112, 90)
