"""Which seconds are chosen, and which wishes are refused."""

import math

import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.video import Sampling, at_fps, explicit, uniform


def test_uniform_is_the_centre_of_equal_segments():
    np.testing.assert_allclose(uniform(10.0, 4), [1.25, 3.75, 6.25, 8.75])


def test_uniform_stays_inside_the_video():
    times = uniform(0.1, 7200)
    assert len(times) == 7200
    assert times[0] > 0
    assert times[-1] < 0.1


@pytest.mark.parametrize(("duration", "fps", "count"), [(3.0, 1.0, 3), (3.1, 1.0, 4), (0.2, 1.0, 1), (0.3, 10.0, 3)])
def test_at_fps_counts_up_from_zero_below_the_duration(duration, fps, count):
    times = at_fps(duration, fps)
    assert len(times) == count
    assert times[0] == 0
    assert times[-1] < duration
    np.testing.assert_allclose(np.diff(times), 1 / fps)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_impossible_durations_and_rates_are_refused(bad):
    for call in (lambda: uniform(bad, 4), lambda: at_fps(bad, 1.0), lambda: at_fps(10.0, bad), lambda: at_fps(9, 0)):
        with pytest.raises(ConfigError, match="expected a positive, finite number"):
            call()


@pytest.mark.parametrize("wish", [{"frames": 4}, {"fps": 1.0}, {"fps": 1.0, "max_frames": 4}])
def test_where_a_file_has_no_length_the_error_says_what_can_be_asked(wish):
    with pytest.raises(ConfigError, match=r"without a length.*pass exact seconds \(0 is the first picture\)"):
        Sampling(**wish).seconds_for(0.0)
    np.testing.assert_array_equal(Sampling(seconds=(0.0,)).seconds_for(0.0), [0.0])


@pytest.mark.parametrize("bad", [0, -3, 2.5, math.nan, True])
def test_impossible_counts_are_refused(bad):
    with pytest.raises(ConfigError, match="whole number of at least 1"):
        uniform(10.0, bad)


def test_explicit_times_come_back_as_they_are():
    np.testing.assert_array_equal(explicit([0, 1.5, 1.5, 99]), [0, 1.5, 1.5, 99])


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ([], "at least one time"),
        ([[1.0]], "a list"),
        ([-0.1], "finite times of at least 0"),
        ([math.nan], "finite times"),
        ([2.0, 1.0], "times in order"),
        (["noon"], "numbers"),
    ],
)
def test_impossible_times_are_refused(bad, expected):
    with pytest.raises(ConfigError, match=expected):
        explicit(bad)


def test_sampling_says_which_seconds():
    np.testing.assert_allclose(Sampling(frames=2).seconds_for(8.0), [2.0, 6.0])
    np.testing.assert_allclose(Sampling(fps=0.5).seconds_for(8.0), [0, 2, 4, 6])
    np.testing.assert_allclose(Sampling(fps=0.5, max_frames=4).seconds_for(8.0), [0, 2, 4, 6])
    np.testing.assert_allclose(Sampling(fps=0.5, max_frames=2).seconds_for(8.0), [2.0, 6.0])
    np.testing.assert_allclose(Sampling(seconds=(1.0, 70.0)).seconds_for(8.0), [1.0, 70.0])


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"frames": 4, "fps": 1.0},
        {"frames": 4, "max_frames": 2},
        {"frames": 0},
        {"fps": 0.0},
        {"fps": 1.0, "max_frames": 0},
        {"fps": "fast"},
        {"seconds": ()},
        {"seconds": (3.0, 1.0)},
    ],
)
def test_unclear_samplings_are_refused(bad):
    with pytest.raises(ConfigError):
        Sampling(**bad)


@pytest.mark.parametrize(
    "wish",
    [
        lambda: at_fps(180.0, 1e9),
        lambda: at_fps(180.0, 1e308),
        lambda: uniform(180.0, 10**15),
        lambda: Sampling(fps=1e9).seconds_for(180.0),
        lambda: Sampling(frames=10_000_001).seconds_for(180.0),
        lambda: Sampling(fps=1e9, max_frames=10**9).seconds_for(180.0),
    ],
)
def test_more_frames_than_anyone_means_are_refused(wish):
    with pytest.raises(ConfigError, match="expected at most 10,000,000 frames; ask for fewer"):
        wish()


def test_max_frames_makes_any_rate_bearable():
    np.testing.assert_allclose(Sampling(fps=1e308, max_frames=2).seconds_for(8.0), [2.0, 6.0])


def test_options_that_are_not_given_leave_the_choice_to_the_model():
    assert Sampling.from_options() is None
    assert Sampling.from_options(frames=8) == Sampling(frames=8)
    assert Sampling.from_options(fps=0.5) == Sampling(fps=0.5)
    with pytest.raises(ConfigError, match="frames=0"):
        Sampling.from_options(frames=0)
