"""The frame on screen at a second: right pixels and right times, in every kind of file."""

import logging
import threading

import numpy as np
import pytest
from movies import B_FRAMES, number_in, numbered, remux, write_movie

from longpanda.errors import ConfigError, VideoError
from longpanda.video import decode, iter_frames, letterbox, letterbox_box, probe, uniform

EVERYWHERE = [0.0, 0.05, 0.5, 1.99, 2.0, 2.01, 3.3, 3.31, 5.99, 9.0, 9.97, 9.99]


def check(path, seconds, fps=30.0, origin=0):
    """Every frame is the one on screen, by its pixels and by its time."""
    clip = decode(path, seconds)
    expected = [int(second * fps + 1e-6) + origin for second in seconds]
    assert [number_in(frame) for frame in clip.frames] == expected
    np.testing.assert_allclose(clip.pts_seconds, [(n - origin) / fps for n in expected], atol=2e-3)
    assert clip.frames_promised == len(seconds) == len(clip)
    together = decode(path, seconds, workers=2)
    np.testing.assert_array_equal(together.frames, clip.frames)
    np.testing.assert_array_equal(together.pts_seconds, clip.pts_seconds)
    return clip


def test_b_frames(plain):
    check(plain, EVERYWHERE)
    check(plain, [n / 30 for n in range(300)])


def test_every_single_second_alone(plain):
    for second in EVERYWHERE:
        check(plain, [second])


@pytest.mark.parametrize("suffix", ["mkv", "ts", "mov", "flv"])
def test_other_containers(plain, tmp_path, suffix):
    path = remux(plain, tmp_path / f"a.{suffix}")
    seconds = [second + 0.004 for second in EVERYWHERE if second < 9.9]  # FLV and Matroska round to milliseconds
    check(path, seconds)
    for second in seconds:
        check(path, [second])


def test_avi_without_b_frames(tmp_path):
    frames = [numbered(n) for n in range(90)]
    path = write_movie(tmp_path / "a.avi", frames, codec="mpeg4", options={"g": "12", "b": "4000000"})
    check(path, [0.0, 1.0, 1.02, 2.9])


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_open_groups(tmp_path, suffix):
    frames = [numbered(n) for n in range(180)]
    path = write_movie(tmp_path / f"a.{suffix}", frames, options=B_FRAMES | {"g": "45", "x264-params": "open-gop=1"})
    seconds = [n / 30 + 0.004 for n in range(0, 179, 4)]
    check(path, seconds)
    for second in seconds[::3]:
        check(path, [second])


def test_variable_frame_rate(tmp_path):
    ticks = np.cumsum([0] + [1 + (n * 7) % 23 for n in range(79)]).tolist()
    path = write_movie(
        tmp_path / "a.mp4", [numbered(n) for n in range(80)], ticks=ticks, options={"g": "25", "bf": "2"}
    )
    shown = np.asarray(ticks) / 30
    wanted = np.arange(0.0, shown[-1], 0.09)
    clip = decode(path, wanted)
    expected = np.searchsorted(shown, wanted + 1e-6, side="right") - 1
    assert [number_in(frame) for frame in clip.frames] == expected.tolist()
    np.testing.assert_allclose(clip.pts_seconds, shown[expected], atol=1e-3)


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_rotation(tmp_path, degrees):
    def prepare(stream):
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV cannot write a display matrix")
        stream.set_display_rotation(degrees)

    path = write_movie(tmp_path / "a.mp4", [numbered(n) for n in range(5)], prepare=prepare)
    clip = decode(path, [0.1])
    stored = np.rot90(clip.frames[0], -degrees // 90)
    assert number_in(stored) == 3
    info = probe(path)
    assert (info.height_px, info.width_px) == clip.frames.shape[1:3] == ((160, 64) if degrees % 180 else (64, 160))
    assert info.rotation_degrees == degrees % 360


@pytest.mark.parametrize(("hflip", "vflip"), [(True, False), (False, True), (True, True)])
def test_mirroring(tmp_path, hflip, vflip):
    def prepare(stream):
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV cannot write a display matrix")
        stream.set_display_rotation(0, hflip=hflip, vflip=vflip)

    path = write_movie(tmp_path / "a.mp4", [numbered(n) for n in range(5)], prepare=prepare)
    frame = decode(path, [0.1]).frames[0]
    assert number_in(frame[:: -1 if vflip else 1, :: -1 if hflip else 1]) == 3
    assert probe(path).geometry.mirrored == (hflip != vflip)


@pytest.mark.parametrize(("ratio", "width_px"), [("2/1", 320), ("1/2", 80), ("16/11", 233)])
def test_sample_aspect_ratio(tmp_path, ratio, width_px):
    from fractions import Fraction

    def prepare(stream):
        stream.sample_aspect_ratio = Fraction(ratio)

    path = write_movie(tmp_path / "a.mp4", [numbered(n) for n in range(5)], prepare=prepare)
    frame = decode(path, [0.1]).frames[0]
    assert frame.shape == (64, width_px, 3)
    squeezed = frame[:, np.round(np.linspace(0, width_px - 1, 160)).astype(int)]
    assert number_in(squeezed) == 3
    assert (probe(path).width_px, probe(path).coded_width_px) == (width_px, 160)


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv444p", "yuv422p", "yuv444p10le", "gray", "yuvj420p"])
def test_pixel_formats(tmp_path, pix_fmt):
    path = write_movie(tmp_path / "a.mp4", [numbered(n) for n in range(10)], pix_fmt=pix_fmt)
    clip = check(path, [0.0, 0.2])
    assert probe(path).pixel_format in (pix_fmt, "yuv420p")
    if pix_fmt != "gray":
        assert np.abs(clip.frames[1].astype(int) - numbered(6)).mean() < 4


def test_odd_sizes(tmp_path):
    path = write_movie(tmp_path / "a.mp4", [numbered(n, 65, 161) for n in range(5)], pix_fmt="yuv444p")
    assert check(path, [0.1]).frames.shape == (1, 65, 161, 3)


def test_one_frame(tmp_path):
    path = write_movie(tmp_path / "a.mp4", [numbered(7)])
    clip = decode(path, uniform(probe(path).duration_seconds, 4))
    assert [number_in(frame) for frame in clip.frames] == [7] * 4
    assert clip.pts_seconds.tolist() == [0.0] * 4


def test_edit_list_hides_what_it_hides(plain, tmp_path):
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    path = remux(plain, tmp_path / "a.mp4", shift_seconds=-2.5, options=options)
    check(path, [0.0, 0.01, 0.3, 1.0, 7.3], origin=75)
    assert [number_in(frame.pixels) for frame in iter_frames(path)] == list(range(75, 300))


def test_second_zero_is_the_start_of_the_stream(plain, tmp_path):
    path = remux(plain, tmp_path / "a.ts", shift_seconds=100.0)
    check(path, [0.004, 4.004, 9.004])


def test_transport_stream_cut_before_its_first_keyframe(plain, tmp_path):
    whole = remux(plain, tmp_path / "a.ts").read_bytes()
    (tmp_path / "cut.ts").write_bytes(whole[188 * (len(whole) // 188 // 10) :])
    clip = decode(tmp_path / "cut.ts", [0.0, 3.0])
    assert number_in(clip.frames[0]) == 60
    assert clip.pts_seconds[0] > 0.1
    assert number_in(clip.frames[1]) == 60 + round((clip.pts_seconds[1] - clip.pts_seconds[0]) * 30)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_truncated_file_gives_what_it_has(plain, tmp_path, suffix):
    options = {"movflags": "+faststart"} if suffix == "mp4" else {}
    whole = remux(plain, tmp_path / f"a.{suffix}", options=options).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    seconds = (uniform(10.0, 40) + 0.004).tolist()
    clip = decode(path, seconds)
    assert clip.frames_promised == 40
    assert 15 < len(clip) < 32
    assert [number_in(frame) for frame in clip.frames] == [int(second * 30) for second in seconds[: len(clip)]]
    assert seconds[len(clip)] > clip.pts_seconds[-1] + 1 / 30
    with pytest.raises(VideoError, match="its last picture, at"):
        decode(path, [9.0, 9.5])


def test_a_hole_of_zeros_is_reported_and_not_filled(plain, tmp_path, caplog):
    data = bytearray(plain.read_bytes())
    first, last = data.index(b"mdat") + 4, data.index(b"moov") - 4
    start = first + (last - first) * 45 // 100
    data[start : start + (last - first) // 10] = bytes((last - first) // 10)
    path = tmp_path / "hole.mp4"
    path.write_bytes(data)
    seconds = uniform(10.0, 100).tolist()
    with caplog.at_level(logging.WARNING, "longpanda"):
        clip = decode(path, seconds)
    assert 60 < len(clip) < 100 == clip.frames_promised
    assert "damaged packets" in caplog.text
    asked = np.asarray(seconds)
    on_screen = asked[np.searchsorted(asked, clip.pts_seconds)]
    assert np.all(on_screen - clip.pts_seconds < 0.1)
    early = clip.pts_seconds < 3.9
    assert [number_in(f) for f in clip.frames[early]] == [int(s * 30 + 1e-6) for s in seconds[: early.sum()]]


def test_past_the_end_there_is_nothing(plain):
    clip = decode(plain, [9.99, 10.5, 99.0])
    assert len(clip) == 1
    assert clip.frames_promised == 3
    with pytest.raises(VideoError, match=r"last picture, at 9\.967 of 10\.000 s"):
        decode(plain, [10.5])


@pytest.mark.parametrize("seconds", [[], [-1.0], [float("nan")], [2.0, 1.0]])
def test_impossible_seconds_are_refused(plain, seconds):
    with pytest.raises(ConfigError):
        decode(plain, seconds)


def test_an_impossible_size_is_refused(plain):
    with pytest.raises(ConfigError, match="size_px"):
        decode(plain, [0.0], size_px=(0, 10))


def test_decoding_small_then_placing_is_decoding_then_letterboxing(plain):
    box = letterbox_box(64, 160, 56, 14)
    small = decode(plain, [1.0, 4.0], size_px=box.content_size_px)
    assert small.frames.shape[1:3] == box.content_size_px
    whole, _ = letterbox(decode(plain, [1.0, 4.0]).frames, 56, 14)
    np.testing.assert_array_equal(whole[:, box.row0 : box.row1, box.col0 : box.col1], small.frames)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_streaming_equals_decoding(plain, workers):
    seconds = [0.3, 0.31, 4.4, 50.0]
    clip = decode(plain, seconds)
    streamed = list(iter_frames(plain, seconds, workers=workers))
    assert [frame.number for frame in streamed] == [0, 1, 2]
    np.testing.assert_array_equal(np.stack([frame.pixels for frame in streamed]), clip.frames)
    assert [frame.pts_seconds for frame in streamed] == clip.pts_seconds.tolist()


@pytest.mark.parametrize(("keyframe_every", "together"), [(300, False), (5, True)])
def test_stretches_of_one_keyframe_group_are_read_by_one_worker(tmp_path, keyframe_every, together):
    options = {"g": str(keyframe_every), "keyint_min": str(keyframe_every), "sc_threshold": "0"}
    path = write_movie(tmp_path / "film.mp4", [numbered(i) for i in range(300)], options=options)
    seconds = np.arange(0, 10, 0.2)
    frames = iter_frames(path, seconds, workers=2)
    first = next(frames)
    assert any(thread.name.startswith("decode") for thread in threading.enumerate()) == together
    assert [frame.number for frame in (first, *frames)] == list(range(50))
    stopped = iter_frames(path, seconds, workers=2)
    np.testing.assert_array_equal([next(stopped).pixels, next(stopped).pixels], decode(path, seconds[:2]).frames)
    stopped.close()
    assert not any(thread.name.startswith("decode") for thread in threading.enumerate())


def test_without_seconds_every_frame_comes(plain):
    with pytest.raises(ConfigError, match="chosen seconds"):
        next(iter_frames(plain, workers=2))
    frames = list(iter_frames(plain))
    assert [number_in(frame.pixels) for frame in frames] == list(range(300))
    np.testing.assert_allclose([frame.pts_seconds for frame in frames], np.arange(300) / 30, atol=1e-4)
