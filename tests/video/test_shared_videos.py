"""What real files from other projects' tests give; skipped where they are not beside the repository."""

from pathlib import Path

import numpy as np
import pytest

from longpanda.errors import VideoError
from longpanda.video import decode, iter_frames, probe, uniform

VIDEOS = Path(__file__).resolve().parents[2] / "../shared/data/videos"

WHOLE = {  # name: (width, height, codec, duration in seconds, frames promised, first and last of 16 frames in seconds)
    "tc_nasa_13013.mp4": (480, 270, "h264", 13.013, 390, 0.400, 12.579),
    "tc_h265_video.mp4": (128, 128, "hevc", 1.0, 10, 0.0, 0.9),
    "tc_av1_video.mkv": (640, 360, "av1", 5.0, None, 0.12, 4.84),
    "tc_h264_10bits.mp4": (200, 200, "h264", 1.0, 30, 0.0, 0.967),
    "mb_cursed-vfr.mp4": (3026, 1386, "h264", 8.7255, 63, 0.0, 7.1555),
    "mb_sar_2x1.mp4": (1280, 360, "h264", 5.0, 150, 0.133, 4.833),
    "dc_video_90.mov": (320, 568, "h264", 0.1, 3, 0.0, 0.067),
    "mv_no_duration.webm": (1280, 720, "vp9", 4.938, None, 0.134, 4.739),
    "mv_big_buck_bunny_0_30.webm": (1280, 720, "vp8", 29.999, None, 0.917, 29.042),
    "mv_bitmap.mp4": (1, 1, "h264", 5.0, 5, 0.0, 4.0),
    "mm_test.avi": (320, 240, "mpeg4", 6.56, 164, 0.2, 6.32),
    "io_newtonscradle.gif": (200, 150, "gif", 0.82, 36, 0.0, 0.78),
    "ln_jobs.mp4": (576, 1024, "h264", 17.467, 524, 0.533, 16.9),
    "mp_bbb_sunflower_QCIF_30fps_mp4v_noaudio_1f.mp4": (256, 144, "mpeg4", 0.0333, 1, 0.0, 0.0),
    "sk_scene_cuts.mp4": (1280, 272, "h264", 10.0, 250, 0.28, 9.68),
    "sk_bikes.mp4": (640, 272, "h264", 10.0, 250, 0.28, 9.68),
}


def video(name: str) -> Path:
    if not (VIDEOS / name).exists():
        pytest.skip(f"{name} is not in ../shared/data/videos")
    return VIDEOS / name


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_gives_every_frame_asked_for(name):
    width_px, height_px, codec, duration_seconds, frames_promised, first, last = WHOLE[name]
    info = probe(video(name))
    assert (info.width_px, info.height_px, info.codec) == (width_px, height_px, codec)
    assert info.duration_seconds == pytest.approx(duration_seconds, abs=2e-3)
    assert info.frames_promised == frames_promised
    wanted = uniform(info.duration_seconds, 16)
    clip = decode(video(name), wanted, size_px=(32, 32))
    assert len(clip) == clip.frames_promised == 16
    assert clip.pts_seconds[[0, -1]].tolist() == pytest.approx([first, last], abs=1e-3)
    late = clip.pts_seconds > wanted + 1e-6
    assert not late.any()


@pytest.mark.parametrize("name", ["tc_nasa_13013.mp4", "mm_test.avi", "io_newtonscradle.gif", "tc_av1_video.mkv"])
def test_chosen_frames_are_those_of_a_full_read(name):
    every = list(iter_frames(video(name), size_px=(24, 24)))
    shown = np.asarray([frame.pts_seconds for frame in every])
    wanted = uniform(probe(video(name)).duration_seconds, 16)
    clip = decode(video(name), wanted, size_px=(24, 24))
    expected = np.maximum(np.searchsorted(shown, wanted + 1e-6, side="right") - 1, 0)
    np.testing.assert_array_equal(clip.frames, np.stack([every[n].pixels for n in expected]))
    np.testing.assert_array_equal(clip.pts_seconds, shown[expected])


def test_rotation_and_aspect_of_real_files():
    assert probe(video("dc_video_90.mov")).rotation_degrees == 270
    assert probe(video("mb_sar_2x1.mp4")).sample_aspect_ratio == 2
    assert decode(video("dc_video_90.mov"), [0.0]).frames.shape == (1, 568, 320, 3)
    assert decode(video("mb_sar_2x1.mp4"), [0.0]).frames.shape == (1, 360, 1280, 3)


def test_the_largest_video_stream_is_watched():
    info = probe(video("tc_nasa_13013.mp4"))
    assert (info.stream_index, info.has_audio) == (3, True)


def test_damaged_packets_are_missing_and_not_filled():
    clip = decode(video("dc_corrupted.mp4"), uniform(5.0, 16), size_px=(32, 32))
    assert (len(clip), clip.frames_promised) == (15, 16)
    assert not np.any((clip.pts_seconds > 2.95) & (clip.pts_seconds < 3.3))


def test_a_file_cut_after_half_a_second_of_35():
    path = video("mb_annex-b.mp4")
    info = probe(path)
    assert (info.promised_seconds, info.duration_seconds) == pytest.approx((35.229, 0.463))
    with pytest.raises(VideoError, match=r"its last picture, at 0\.429 of 0\.463 s"):
        decode(path, uniform(35.229, 16))
    clip = decode(path, np.arange(0.0, 35.0, 0.2))
    np.testing.assert_allclose(clip.pts_seconds, [0.0, 0.019, 0.019], atol=1e-3)
    assert clip.frames_promised == 175


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tc_nasa_13013.mp4.audio.mp3", "holds sound but no pictures"),
        ("mv_with-attached-pic.mp3", "holds only a cover picture"),
    ],
)
def test_files_without_moving_pictures_are_refused(name, message):
    with pytest.raises(VideoError, match=message):
        decode(video(name), [0.0])
