"""Which frames are looked at: VideoChat-Flash's own numbers, ours by time, and what the model is told of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from longpanda.data.frame_choice import RULES, FrameChoice, reference_indices, time_message, with_time_messages
from longpanda.errors import ConfigError
from longpanda.types import VIDEO_TOKEN, Turn
from longpanda.video import Sampling

STORED = Path(__file__).resolve().parents[2] / "../shared/data/examples/golden_frame_indices.json"
REFERENCE = (  # frames, fps, (min, max, local) or the number of 'middle', chosen, first, last, sum
    (8, 30.0, (64, 512, 4), 8, [0, 1, 2], [5, 6, 7], 28),
    (30, 30.0, (64, 512, 4), 28, [0, 1, 2], [26, 27, 28], 392),
    (30, 30.0, (8, 64, 8), 8, [1, 4, 8], [19, 23, 27], 110),
    (90, 30.0, (64, 512, 4), 64, [0, 1, 2], [85, 87, 88], 2804),
    (119, 29.97, (64, 512, 4), 64, [0, 1, 3], [113, 115, 117], 3717),
    (1798, 29.97, (8, 64, 8), 56, [15, 47, 79], [1716, 1748, 1781], 50263),
    (3840, 30.0, (64, 512, 4), 128, [14, 44, 74], [3764, 3794, 3824], 245632),
    (216000, 30.0, (64, 512, 4), 512, [210, 631, 1053], [214944, 215366, 215788], 55295296),
    (63, 1.0, (64, 512, 4), 60, [0, 1, 2], [59, 60, 61], 1830),
    (3, 1.0, (64, 512, 4), 4, [0, 1, 2], [1, 2, 2], 5),
    (3, 1.0, (8, 64, 8), 8, [0, 1, 2], [2, 2, 2], 13),
    (45000, 25.0, 8, 8, [2812, 8437, 14062], [30937, 36562, 42187], 179996),
    (3, 1.0, 8, 8, [0, 1, 2], [2, 2, 2], 13),
    (600, 3.0, (64, 512, 4), 200, [1, 4, 7], [592, 595, 598], 59900),
)


def _choice(limits):
    if isinstance(limits, int):
        return FrameChoice(max_frames=limits, rule="videochat_flash_middle")
    least, most, local = limits
    return FrameChoice(min_frames=least, max_frames=most, multiple=local, rule="videochat_flash")


@pytest.mark.parametrize(("frames", "fps", "limits", "count", "first", "last", "total"), REFERENCE)
def test_the_reference_numbers_are_reproduced(frames, fps, limits, count, first, last, total):
    chosen = reference_indices(_choice(limits), frames, fps)
    assert (len(chosen), chosen[:3].tolist(), int(chosen.sum())) == (count, first, total)
    assert chosen[-3:].tolist() == last
    assert _choice(limits).count(frames / fps, frames) == count
    np.testing.assert_allclose(_choice(limits).seconds(frames / fps, frames), chosen / fps)


def test_every_stored_case_of_the_reference():
    if not STORED.is_file():
        pytest.skip(f"{STORED.name} is not in ../shared/data/examples")
    cases = json.loads(STORED.read_text())
    for case in cases:
        limits = tuple(case[name] for name in ("min_num_frames", "max_num_frames", "local_num_frames"))
        choice = _choice(limits if case["sample"] == "dynamic_fps1" else case["max_num_frames"])
        chosen = reference_indices(choice, case["vlen"], case["fps"])
        assert len(chosen) == case["n"], case
        assert chosen[:6].tolist() == case["first"], case
        assert chosen[-3:].tolist() == case["last"], case
        assert (int(chosen.sum()), len(set(chosen.tolist()))) == (case["sum"], case["unique"]), case
        assert time_message("short", case["duration"], chosen) == case["msg_short"]
    assert len(cases) == 54


def test_true_times_are_those_of_the_frames_that_the_reference_chooses():
    shown = np.array([0.0, 0.1, 5.0, 5.1])
    choice = FrameChoice(min_frames=2, max_frames=2, rule="videochat_flash")
    assert choice.seconds(6.0, 4, shown).tolist() == [0.0, 5.0]


@pytest.mark.parametrize("duration", [0.3, 1.0, 9.5, 511.9, 512.0, 513.0, 7200.0])
@pytest.mark.parametrize("fps", [0.25, 1.0, 2.0])
def test_our_own_times_are_those_of_asking(duration, fps):
    choice = FrameChoice(fps=fps, max_frames=512)
    seconds = choice.seconds(duration, 30 * 7200)
    np.testing.assert_array_equal(seconds, Sampling(fps=fps, max_frames=512).seconds_for(duration))
    assert len(seconds) == choice.count(duration, 30 * 7200)


@pytest.mark.parametrize(
    ("choice", "duration", "frames", "count"),
    [
        (FrameChoice(min_frames=64), 3.0, 90, 64),
        (FrameChoice(min_frames=64), 3.0, 10, 10),  # no frame is repeated to reach the minimum
        (FrameChoice(min_frames=64), 100.0, 10, 100),  # frames that stay on screen for long are looked at again
        (FrameChoice(multiple=4), 10.0, 300, 8),
        (FrameChoice(multiple=4), 2.0, 300, 4),
        (FrameChoice(multiple=4), 2.0, 3, 3),
        (FrameChoice(max_frames=6, multiple=4), 100.0, 300, 4),
        (FrameChoice(), 0.0, 1, 1),
        (FrameChoice(min_frames=8), 0.0, 1, 1),
    ],
)
def test_limits_of_our_own_rule(choice, duration, frames, count):
    assert choice.count(duration, frames) == count
    seconds = choice.seconds(duration, frames)
    assert len(seconds) == count
    assert np.all(np.diff(seconds) > 0)
    assert seconds[-1] < max(duration, 1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_an_image_is_one_frame(rule):
    choice = FrameChoice(min_frames=8, max_frames=64, multiple=8, rule=rule)
    assert (choice.count(0.0, 1), choice.seconds(0.0, 1).tolist()) == (1, [0.0])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("most", [1, 3, 4, 40])
def test_a_limited_choice_never_has_more_frames(rule, most):
    choice = FrameChoice(min_frames=64, multiple=4, rule=rule).limited(most)
    assert 1 <= choice.count(3.0, 90) <= most
    assert 1 <= choice.count(3000.0, 90000) <= most


@pytest.mark.parametrize(
    "settings",
    [
        {"rule": "middle"},
        {"fps": 0},
        {"fps": "2"},
        {"min_frames": 0},
        {"max_frames": 1.5},
        {"multiple": True},
        {"min_frames": 9, "max_frames": 8},
        {"max_frames": 3, "multiple": 4},
        {"rule": "videochat_flash", "fps": 2},
    ],
)
def test_an_impossible_choice_is_refused(settings):
    with pytest.raises(ConfigError):
        FrameChoice(**settings)


def test_the_time_message_is_written_once_behind_each_video_and_leaves_the_record_alone():
    turns = (Turn("user", f"{VIDEO_TOKEN}\n{VIDEO_TOKEN}\nWhat?"), Turn("assistant", f"As {VIDEO_TOKEN} shows"))
    short = "\nThe video lasts for 12.00 seconds, and 2 frames are uniformly sampled from it. "
    assert time_message("short", 12.0, [0.0, 6.04]) == short
    long = time_message("times", 12.0, [0.0, 6.04])
    assert long == "\nThe video lasts for 12.00 seconds, and 2 frames are uniformly sampled at 0.0, 6.0 seconds. "
    written = with_time_messages(turns, [short, ""])
    assert written[0].text == f"{VIDEO_TOKEN}{short}\n{VIDEO_TOKEN}\nWhat?"
    assert written[1] == turns[1]
    assert with_time_messages(turns, [short, ""]) == written, "a second epoch writes the same"
    assert time_message("", 12.0, [0.0]) == ""
    with pytest.raises(ConfigError, match="time_message 'long'"):
        time_message("long", 12.0, [0.0])
