"""No order, no length and no jump of a clock hangs on the time of one packet."""

import os
import shutil
from contextlib import closing

import av
import numpy as np
import pytest
from movies import B_FRAMES, number_in, numbered, remux, write_movie

from longpanda.video import decode, iter_frames, probe
from longpanda.video.packets import read_table
from longpanda.video.source import Source

COUNT = 120


def retimed(source, target, time_of, **options):
    """The packets of a file with other times: `time_of` is given a packet, its number and the ticks of a picture."""
    with av.open(str(source)) as read, av.open(str(target), "w", **options) as write:
        stream = read.streams.video[0]
        copy = write.add_stream_from_template(stream)
        packets = [packet for packet in read.demux(stream) if packet.dts is not None]
        for number, packet in enumerate(packets):
            packet.pts, packet.stream = time_of(packet, number, round(1 / 30 / packet.time_base)), copy
            write.mux(packet)
    return target


@pytest.fixture(scope="module")
def with_b(tmp_path_factory):
    path = tmp_path_factory.mktemp("survey") / "b.mp4"
    return write_movie(path, [numbered(n) for n in range(COUNT)], options=B_FRAMES | {"g": "30"})


@pytest.fixture(scope="module")
def without_b(tmp_path_factory):
    path = tmp_path_factory.mktemp("survey") / "p.mp4"
    return write_movie(path, [numbered(n) for n in range(COUNT)], options={"bf": "0", "g": "30"})


def numbers_of(path):
    return [number_in(frame.pixels) for frame in iter_frames(path)]


@pytest.mark.parametrize("wrong", [8, 50, 119])
@pytest.mark.parametrize("by", [20, 108_000])
def test_times_of_decoding_are_seen_through_though_one_is_wrong(with_b, tmp_path, wrong, by):
    """As in files copied from AVI: the time of each picture is when it is decoded."""
    path = retimed(with_b, tmp_path / "a.mkv", lambda packet, n, step: packet.dts + step * (by if n == wrong else 0))
    assert numbers_of(path) == list(range(COUNT))
    info = probe(path)
    assert info.duration_seconds == pytest.approx(COUNT / 30, abs=0.1 if by > COUNT else 0.7)
    assert (info.wrong_times, info.clock_jumps) == (0, ())
    assert number_in(decode(path, [2.0]).frames[0]) == pytest.approx(60, abs=1)


def test_times_that_a_copy_from_avi_makes_up_are_seen_through(tmp_path):
    options = {"bf": "2", "g": "24", "b": "4000000"}
    path = write_movie(tmp_path / "a.mp4", [numbered(n) for n in range(COUNT)], codec="mpeg4", options=options)
    assert numbers_of(remux(path, tmp_path / "right.mkv")) == list(range(COUNT))
    copy = retimed(path, tmp_path / "a.mkv", lambda packet, n, step: packet.dts + step * (1, 2, 0)[n % 3])
    assert numbers_of(copy) == list(range(COUNT))
    assert np.all(np.diff([frame.pts_seconds for frame in iter_frames(copy)]) > 0)


@pytest.mark.parametrize("wrong", [8, 50])
def test_one_wrong_time_does_not_make_right_times_those_of_decoding(without_b, tmp_path, wrong):
    path = retimed(without_b, tmp_path / "a.mkv", lambda packet, n, step: packet.pts + step * 108_000 * (n == wrong))
    assert numbers_of(path) == [number for number in range(COUNT) if number != wrong]
    assert probe(path).wrong_times == 1


def test_where_most_times_are_wrong_the_decoders_order_is_right(without_b, tmp_path):
    path = retimed(without_b, tmp_path / "a.ts", lambda _, n, step: (300 - n) * step)
    assert numbers_of(path) == list(range(COUNT))
    assert probe(path).wrong_times == 0


@pytest.mark.parametrize("interval_seconds", [5, 12, 40])
def test_a_picture_now_and_then_is_no_jump_of_the_clock(tmp_path, interval_seconds):
    ticks = [number * interval_seconds * 30 for number in range(40)]
    options = {"bf": "0", "g": "10"}
    path = write_movie(tmp_path / "a.ts", [numbered(n) for n in range(40)], ticks=ticks, options=options)
    assert probe(path).clock_jumps == ()
    times = [frame.pts_seconds for frame in iter_frames(path)]
    np.testing.assert_allclose(times, np.arange(40) * interval_seconds, atol=0.001)


@pytest.mark.parametrize("counts", [(2, 60), (60, 2), (60, 1), (60, 2, 60)])
def test_recordings_of_a_picture_or_two_are_joined_as_others_are(tmp_path, counts):
    joined = b""
    for count, first in zip(counts, np.cumsum([0, *counts]).tolist(), strict=False):
        frames = [numbered(first + n) for n in range(count)]
        joined += write_movie(tmp_path / "part.ts", frames, options={"bf": "0", "g": "60"}).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(joined)
    assert numbers_of(path) == list(range(sum(counts)))
    times = [frame.pts_seconds for frame in iter_frames(path)]
    np.testing.assert_allclose(times, np.arange(sum(counts)) / 30, atol=0.001)
    assert len(probe(path).clock_jumps) == len(counts) - 1


def test_a_file_that_takes_the_place_of_an_open_one_is_not_taken_for_it(with_b, plain, tmp_path):
    path, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    shutil.copy(with_b, path)
    shutil.copy(plain, other)
    with closing(Source(path)) as source:
        os.replace(other, path)
        assert len(read_table(source)) == COUNT
    assert numbers_of(path) == list(range(300))
