"""What is written comes back; what cannot be written is refused and leaves nothing behind."""

import os
import resource
from fractions import Fraction

import av
import numpy as np
import pytest
from movies import number_in, numbered

from longpanda.errors import ConfigError, VideoError
from longpanda.video import decode, encode, iter_frames, probe

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 30, 120), (128, 128, 128)]
TOLERANCE = 3
"""Of 255: rounding to limited-range 8-bit YUV and back, plus x264 at crf 5."""


def test_flat_saturated_colours_come_back(tmp_path):
    frames = [np.full((32, 48, 3), colour, np.uint8) for colour in COLOURS]
    assert encode(iter(frames), tmp_path / "c.mp4", 1, crf=5) == len(COLOURS)
    found = [frame.pixels for frame in iter_frames(tmp_path / "c.mp4")]
    error = np.abs(np.stack(found).astype(int) - np.stack(frames).astype(int))
    assert error.max() <= TOLERANCE


def test_colours_are_tagged_as_bt709_limited(tmp_path):
    encode([numbered(0)], tmp_path / "a.mp4", 30)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range) == (1, 1)


@pytest.mark.parametrize("fps", [1, 12.5, 29.97, Fraction(30000, 1001)])
def test_times_follow_fps(tmp_path, fps):
    encode((numbered(n) for n in range(20)), tmp_path / "a.mp4", fps, gop=7)
    times = [n / float(fps) for n in range(20)]
    clip = decode(tmp_path / "a.mp4", times)
    np.testing.assert_allclose(clip.pts_seconds, times, atol=1e-4)
    assert [number_in(frame) for frame in clip.frames] == list(range(20))
    assert probe(tmp_path / "a.mp4").duration_seconds == pytest.approx(20 / float(fps), abs=1e-3)


def test_gop_limits_the_distance_of_keyframes(tmp_path):
    encode((numbered(n) for n in range(30)), tmp_path / "a.mp4", 30, gop=10)
    with av.open(str(tmp_path / "a.mp4")) as container:
        keys = [float(p.pts * p.time_base * 30) for p in container.demux(video=0) if p.is_keyframe]
    assert max(np.diff(keys)) <= 10


def test_bytes_depend_on_the_frames_only(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        encode((numbered(n) for n in range(10)), tmp_path / name, 30)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("shape", [(31, 48), (32, 47), (1, 1)])
def test_odd_sizes_are_refused(tmp_path, shape):
    with pytest.raises(VideoError, match="even width and height"):
        encode([np.zeros((*shape, 3), np.uint8)], tmp_path / "a.mp4", 30)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([], "at least one"),
        ([np.zeros((32, 32, 3), np.float32)], "uint8"),
        ([np.zeros((32, 32), np.uint8)], "uint8"),
        ([np.zeros((32, 32, 3), np.uint8), np.zeros((32, 34, 3), np.uint8)], "like the first"),
    ],
)
def test_impossible_frames_are_refused_and_leave_no_file(tmp_path, frames, expected):
    with pytest.raises(VideoError, match=expected):
        encode(frames, tmp_path / "a.mp4", 30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [{"fps": 0}, {"fps": float("nan")}, {"crf": 60}, {"gop": 0}, {"preset": "warp"}])
def test_impossible_settings_are_refused(tmp_path, bad):
    with pytest.raises(ConfigError):
        encode([numbered(0)], tmp_path / "a.mp4", **({"fps": 30} | bad))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no directory"):
        encode([numbered(0)], tmp_path / "none" / "a.mp4", 30)


def test_a_failing_producer_leaves_the_old_file(tmp_path):
    def broken():
        yield numbered(0)
        raise RuntimeError("renderer died")

    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="renderer died"):
        encode(broken(), path, 30)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_of_that_name_is_refused(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(ConfigError, match="is a directory; expected the name of a file; add a file name to it"):
        encode([numbered(0)], tmp_path / "a.mp4", 30)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_name_that_the_file_system_refuses_is_said(tmp_path):
    with pytest.raises(
        ConfigError, match=r"cannot be written \(File name too long\); expected a writable folder with free space"
    ):
        encode([numbered(0)], tmp_path / ("a" * 300 + ".mp4"), 30)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match=r"cannot be written \(Permission denied\)"):
        encode([numbered(0)], tmp_path / "a.mp4", 30)
    tmp_path.chmod(0o700)


def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path):
    """A limit on the size of files stands for the disk: writing fails in the same place."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    noise = np.random.default_rng(0).integers(0, 256, (40, 64, 96, 3), np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(ConfigError, match=r"a\.mp4' cannot be written \("):
            encode(noise, path, 30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
