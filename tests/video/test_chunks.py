"""A video in chunks: the same frames for any number of workers, bounded memory, and nothing lost or invented."""

import itertools
import subprocess
import sys
import threading
from contextlib import closing

import numpy as np
import pytest
from every_frame import every_frame
from movies import number_in, remux

from longpanda.errors import ConfigError, VideoError
from longpanda.video import FrameChunk, decode, iter_chunks, iter_frames
from longpanda.video.chunks import requests_of
from longpanda.video.decode_pool import DecodePool
from longpanda.video.opened import DecodeSpec, OpenVideo

SECONDS = [n / 7 for n in range(80)]  # 10 s of video, and beyond


@pytest.fixture(scope="module")
def shown(plain):
    return every_frame(plain)


@pytest.fixture(scope="module")
def damaged(plain, tmp_path_factory):
    """A hole of zeros in an MP4, and an MPEG-TS that lost packets."""
    folder = tmp_path_factory.mktemp("damaged")
    data = bytearray(plain.read_bytes())
    first, last = data.index(b"mdat") + 4, data.index(b"moov") - 4
    start = first + (last - first) * 45 // 100
    data[start : start + (last - first) // 10] = bytes((last - first) // 10)
    (folder / "hole.mp4").write_bytes(data)
    whole = remux(plain, folder / "whole.ts").read_bytes()
    packets = [whole[at : at + 188] for at in range(0, len(whole), 188)]
    (folder / "lost.ts").write_bytes(b"".join(p for n, p in enumerate(packets) if n < 20 or n % 50 > 2))
    return {"mp4": folder / "hole.mp4", "ts": folder / "lost.ts"}


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("chunk_frames", [1, 16, 33, 200])
def test_chunks_hold_every_frame_in_order(plain, shown, workers, chunk_frames):
    chunks = list(iter_chunks(plain, SECONDS, chunk_frames=chunk_frames, workers=workers))
    answered = [second for second in SECONDS if second <= 10]
    numbers = np.concatenate([chunk.numbers for chunk in chunks])
    missing = np.concatenate([chunk.missing for chunk in chunks])
    assert numbers.tolist() == list(range(len(answered)))
    assert missing.tolist() == list(range(len(answered), len(SECONDS)))
    assert [len(chunk) + len(chunk.missing) for chunk in chunks[:-1]] == [chunk_frames] * (len(chunks) - 1)
    np.testing.assert_array_equal(np.concatenate([c.frames for c in chunks]), shown.pixels[shown.at(answered)])
    np.testing.assert_array_equal(
        np.concatenate([c.pts_seconds for c in chunks]), shown.pts_seconds[shown.at(answered)]
    )


@pytest.mark.parametrize("kind", ["mp4", "ts"])
@pytest.mark.parametrize("options", [{}, {"tolerance_seconds": 0.4}])
def test_damage_is_the_same_for_any_number_of_workers(damaged, kind, options):
    alone = decode(damaged[kind], SECONDS, **options)
    assert 0 < len(alone) < len(SECONDS)
    for workers in (2, 3, 7):
        together = decode(damaged[kind], SECONDS, workers=workers, **options)
        np.testing.assert_array_equal(together.pts_seconds, alone.pts_seconds)
        np.testing.assert_array_equal(together.frames, alone.frames)
    chunks = list(iter_chunks(damaged[kind], SECONDS, chunk_frames=9, workers=2, **options))
    np.testing.assert_array_equal(np.concatenate([chunk.frames for chunk in chunks]), alone.frames)
    known = np.concatenate([np.concatenate([chunk.numbers, chunk.missing]) for chunk in chunks])
    assert sorted(known) == list(range(len(SECONDS)))


@pytest.mark.parametrize("kind", ["mp4", "ts"])
def test_damage_does_not_reach_beyond_the_next_keyframe(damaged, shown, kind):
    clip = decode(damaged[kind], SECONDS)
    sound = np.array([kind == "mp4" and not 4 < second % 100 < 6 for second in clip.pts_seconds.round(3).tolist()])
    expected = shown.at(clip.pts_seconds[sound])
    np.testing.assert_array_equal(clip.frames[sound], shown.pixels[expected])
    every = {round(frame.pts_seconds, 4) for frame in iter_frames(damaged[kind])}
    assert {round(second, 4) for second in clip.pts_seconds.tolist()} <= every


@pytest.mark.parametrize("workers", [1, 2])
def test_seconds_are_taken_as_they_are_needed(plain, workers):
    taken = []
    endless = (taken.append(n) or n / 10 for n in itertools.count())
    with_chunks = iter_chunks(plain, endless, chunk_frames=10, workers=workers)
    assert [number_in(pixels) for pixels in next(with_chunks).frames] == list(range(0, 30, 3))
    assert len(taken) <= 40
    with_chunks.close()
    assert next(iter_frames(plain, iter([0.5]))).number == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_can_be_given_parts_again(plain, workers):
    times = np.arange(0.0, 9.0, 0.5)
    with DecodePool(DecodeSpec(plain), workers) as pool:
        with closing(pool.decode(requests_of(iter(times), 4))) as filled:
            next(filled)  # and no more
        for _ in range(2):
            numbers = [number_in(pixels) for part in pool.decode(requests_of(iter(times), 4)) for pixels in part.frames]
            assert numbers == list(range(0, 270, 15))


def test_an_array_will_do(plain):
    chunk = next(iter_chunks(plain, np.arange(0.0, 5.0, 0.5), chunk_frames=4))
    assert chunk.numbers.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_a_worker_comes_out(plain, monkeypatch, workers):
    original = OpenVideo._finish

    def failing(self, picture, number):
        if picture.frame.time > 4:
            raise MemoryError("no room for this one")
        return original(self, picture, number)

    monkeypatch.setattr(OpenVideo, "_finish", failing)
    with pytest.raises(MemoryError, match="no room for this one"):
        decode(plain, SECONDS, workers=workers)
    chunks = iter_chunks(plain, SECONDS, chunk_frames=8, workers=workers)
    assert len(next(chunks)) == 8
    with pytest.raises(MemoryError, match="no room for this one"):
        list(chunks)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_a_reader_that_stops_leaves_no_threads(plain):
    chunks = iter_chunks(plain, SECONDS, chunk_frames=2, workers=4)
    next(chunks)
    chunks.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.mark.parametrize(("seconds", "message"), [([], "no seconds"), ([1.0, 0.5], "in order"), ([-1.0], "at least 0")])
@pytest.mark.parametrize("workers", [1, 2])
def test_impossible_seconds_are_refused_where_they_come(plain, seconds, message, workers):
    with pytest.raises(ConfigError, match=message):
        list(iter_chunks(plain, iter(seconds), chunk_frames=4, workers=workers))


@pytest.mark.parametrize("bad", [{"workers": 0}, {"workers": 1.5}, {"workers": 1000}, {"chunk_frames": 0}])
def test_impossible_options_are_refused(plain, bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        list(iter_chunks(plain, [0.0], **{"chunk_frames": 4} | bad))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_no_video_is_refused(tmp_path, workers):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(VideoError, match="no media file"):
        next(iter_chunks(tmp_path / "a.mp4", [0.0], chunk_frames=4, workers=workers))


@pytest.mark.parametrize(
    "bad",
    [
        {"frames": np.zeros((2, 4, 4, 3), np.float32)},
        {"pts_seconds": np.array([0.0])},
        {"pts_seconds": np.array([1.0, 0.0])},
        {"numbers": np.array([3, 3])},
        {"numbers": np.array([3, 6])},
        {"missing": np.array([4])},
    ],
)
def test_a_chunk_whose_parts_do_not_fit_is_refused(bad):
    good = {
        "frames": np.zeros((2, 4, 4, 3), np.uint8),
        "pts_seconds": np.array([0.0, 1.0]),
        "numbers": np.array([3, 4]),
        "missing": np.array([5]),
    }
    assert repr(FrameChunk(**good)) == "FrameChunk(2 frames of 4x4 px, seconds 3 to 5, 1 missing)"
    with pytest.raises(VideoError):
        FrameChunk(**good | bad)


MEMORY = """
import sys, numpy as np
from longpanda.memory import peak_memory_bytes
from longpanda.video import iter_chunks
seconds = np.linspace(float(sys.argv[2]), 9.9, int(sys.argv[3]))
count = sum(len(chunk) for chunk in iter_chunks(sys.argv[1], seconds, chunk_frames=16, size_px=(96, 96), workers=2))
print(count, peak_memory_bytes())
"""


def test_memory_is_that_of_a_few_chunks(plain):
    peaks = []
    for start, wanted in ((9.5, 200), (0.0, 4950)):  # 5.5 MB and 137 MB
        ran = [sys.executable, "-c", MEMORY, str(plain), str(start), str(wanted)]
        done = subprocess.run(ran, capture_output=True, text=True, check=True)
        count, peak = map(int, done.stdout.split())
        assert count == wanted
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 24e6
