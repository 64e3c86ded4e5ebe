"""Arithmetic on packet times: jumps are told from single wrong times, and no single time decides anything."""

import numpy as np
import pytest

from longpanda.video import clock
from longpanda.video.content import _heaviest_in_order, _most_in_order, fit
from longpanda.video.packets import NO_TIME

SECOND = 90_000
STEP = SECOND // 25


def reordered(count, depth=4):
    """Times of pictures in the order of decoding, with B pictures: 0, 4 2 1 3, 8 6 5 7 and so on."""
    order = [0]
    for anchor in range(depth, count, depth):
        order += [
            anchor,
            anchor - depth // 2,
            *(n for n in range(anchor - depth + 1, anchor) if n != anchor - depth // 2),
        ]
    return np.array(order, np.int64) * STEP


def test_a_clock_that_begins_again_jumps_once():
    times = np.arange(100, dtype=np.int64) * STEP
    joined = np.concatenate([times, times, times + 7 * SECOND])
    assert clock.jumps(joined, 30 * 3600 * SECOND, np.zeros(len(joined), bool)) == [100]
    assert clock.jumps(joined, 2 * SECOND, np.zeros(len(joined), bool)) == [100, 200]


@pytest.mark.parametrize("at", [0, 1, 50, 98, 99])
@pytest.mark.parametrize("by", [3600 * SECOND, -3600 * SECOND, 5 * SECOND, -5 * SECOND, -1])
def test_one_wrong_time_is_no_jump(at, by):
    times = np.arange(100, dtype=np.int64) * STEP
    times[at] += by
    assert clock.jumps(times, 10 * SECOND, np.zeros(len(times), bool)) == []
    if (at, by) not in [(0, abs(by)), (99, -abs(by))]:  # a keyframe there may be a recording of one picture
        assert clock.jumps(times, 10 * SECOND, np.ones(len(times), bool)) == []


@pytest.mark.parametrize("counts", [(2, 2), (2, 50), (50, 2), (50, 1), (50, 2, 50), (2, 2, 2)])
def test_pieces_of_one_or_two_packets_are_pieces_where_they_begin_with_a_keyframe(counts):
    pieces = [np.arange(count, dtype=np.int64) * STEP for count in counts]
    joined, starts = np.concatenate(pieces), np.cumsum([0, *counts])[:-1]
    is_key = np.isin(np.arange(len(joined)), starts)
    assert clock.jumps(joined, 10 * SECOND, is_key) == starts[1:].tolist()
    assert len(clock.jumps(joined, 10 * SECOND, ~is_key)) < len(counts) - 1
    shifts = clock.offsets(joined, joined, is_key, starts[1:].tolist(), False, 10 * SECOND)
    np.testing.assert_array_equal(joined + np.repeat(shifts, counts), np.arange(len(joined)) * STEP)


def test_a_long_picture_is_no_jump_where_formats_have_them():
    times = np.arange(100, dtype=np.int64) * STEP
    times[50:] += 3600 * SECOND
    assert clock.jumps(times, 30 * 3600 * SECOND, np.zeros(len(times), bool)) == []
    assert clock.jumps(times, 10 * SECOND, np.zeros(len(times), bool)) == [50]


def test_pieces_follow_one_another_without_a_gap():
    times = np.arange(100, dtype=np.int64) * STEP
    joined = np.concatenate([times, times - 50 * SECOND, times + 7 * SECOND])
    shifts = clock.offsets(joined, joined, np.ones(300, bool), [100, 200], False, 10 * SECOND)
    np.testing.assert_array_equal(joined + np.repeat(shifts, 100), np.arange(300) * STEP)


def test_a_wrapped_clock_goes_on_where_it_was():
    times = 2**33 - 50 * STEP + np.arange(100, dtype=np.int64) * STEP
    times[60:] += 2 * STEP  # a pause, just behind the wrap, that is kept
    wrapped = times % 2**33
    assert clock.jumps(wrapped, 10 * SECOND, np.zeros(len(wrapped), bool)) == [50]
    assert clock.offsets(wrapped, wrapped, np.ones(100, bool), [50], True, 10 * SECOND) == [0, 2**33]


@pytest.mark.parametrize(
    "pictures", [np.arange(200, dtype=np.int64) * STEP, reordered(200)], ids=["plain", "reordered"]
)
@pytest.mark.parametrize(("at", "by"), [(100, 3600), (100, -3600), (30, 3600), (150, -2.5), (150, 2.5), (40, -1.4)])
def test_a_time_far_from_its_neighbours_is_wrong_and_no_other(pictures, at, by):
    times = pictures.copy()
    times[at] += int(by * SECOND)
    assert np.flatnonzero(clock.wrong(times, SECOND)).tolist() == [at]
    good = np.ones(len(times), bool)
    good[at] = False
    assert clock.vacancy(times, good, at, STEP) == pictures[at]


@pytest.mark.parametrize(
    "times",
    [
        reordered(240),
        reordered(240, depth=32),
        np.concatenate([[23], *(24 * group + np.r_[47, 0:23] for group in range(9))]).astype(np.int64) * STEP,
        np.cumsum(np.random.default_rng(0).choice([1, 2, 50, 3000], 300)).astype(np.int64) * STEP,
    ],
    ids=["pyramid", "deep pyramid", "keyframes shown last", "uneven"],
)
def test_right_times_are_right(times):
    assert not clock.wrong(times, SECOND).any()
    assert not clock.strays(times, np.full(len(times), STEP), SECOND)[1:-1].any()


@pytest.mark.parametrize("at", [0, 199])
def test_a_picture_an_hour_from_all_others_is_a_stray(at):
    times = np.arange(200, dtype=np.int64) * STEP
    times[at] += (1 if at else -1) * 3600 * SECOND
    durations = np.full(200, STEP)
    assert np.flatnonzero(clock.strays(times, durations, SECOND)).tolist() == [at]
    durations[max(0, at - 1)] = 3600 * SECOND  # its packet says that the picture before it stays so long
    assert not clock.strays(times, durations, SECOND).any()


def test_missing_decoding_times_go_on_at_the_rate_of_the_packets():
    dts = np.array([NO_TIME, NO_TIME, 20, 30, NO_TIME, NO_TIME, 60], np.int64)
    durations = np.full(7, 10)
    assert clock.filled(dts, dts, durations).tolist() == [0, 10, 20, 30, 40, 50, 60]
    nothing = np.full(4, NO_TIME)
    assert clock.filled(nothing, nothing, np.full(4, 7)).tolist() == [0, 7, 14, 21]
    assert clock.filled(nothing, np.array([3, 5, 9, 11]), np.full(4, 7)).tolist() == [3, 5, 9, 11]


@pytest.mark.parametrize(
    ("times", "fitted"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30]),
        ([0, 10, 20, 5, 40, 50], [0, 10, 20, 30, 40, 50]),  # the fourth is moved into the gap
        ([0, 10, 38, 30, 40, 50], [0, 10, 20, 30, 40, 50]),
        ([0, 10, 20, 19, 40, 50], [0, 10, 20, 30, 40, 50]),  # and not the third, whose steps are regular
        ([0, 10, 20, 5, 30, 40], [0, 10, 20, None, 30, 40]),  # there is no gap
        ([], []),
    ],
)
def test_the_decoders_order_is_right_and_times_are_fitted_to_it(times, fitted):
    assert fit(times) == fitted


def test_as_many_times_are_kept_as_can_be():
    random = np.random.default_rng(0)
    for count in random.integers(1, 40, 200).tolist():
        times = np.arange(count) * 10 + random.choice([0, 0, 0, -35, 70], count)
        kept = sorted(_most_in_order(times, 0))
        assert np.all(np.diff(times[kept]) >= 0)
        assert len(kept) == len(_heaviest_in_order(times, np.ones(count)))
