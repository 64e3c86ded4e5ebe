"""Clips that training sees, of media with every pitfall that VideoChat-Flash's loader falls into."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from annotated import numbers_in, picture, write_film, write_folder, write_gif, write_picture
from PIL import Image

from longpanda.data import media as media_module
from longpanda.data.frame_choice import RULES, FrameChoice
from longpanda.data.media import find_media, probe_media, read_clip
from longpanda.data.media_facts import MediaError, MediaFault
from longpanda.data.mixture import Root, Source
from longpanda.data.schema import Media
from longpanda.video import Sampling, decode, probe

EVERY_SECOND = FrameChoice(fps=1.0)


def _source(root: Path, fps: float | None = None) -> Source:
    return Source("a.json", root / "a.json", Root(root, fps), is_frames=fps is not None)


def _video(path, start=None, end=None):
    return Media("video", path, start, end)


def _predicted(media, source, choice):
    """The number of frames that is known without opening the file again."""
    part = probe_media(find_media(media, source)).part(media)
    return choice.count(part.duration_seconds, part.frames)


@pytest.mark.parametrize("name", ["film.mp4", "films (part 2)/a film [1], 100%.mp4", "фильм.mkv"])
def test_a_whole_video_is_what_asking_sees(tmp_path, name):
    path = write_film(tmp_path / name, 60)
    clip = read_clip(_video(name), _source(tmp_path), EVERY_SECOND)
    asked = decode(path, Sampling(fps=1.0).seconds_for(probe(path).duration_seconds))
    np.testing.assert_array_equal(clip.frames, asked.frames)
    np.testing.assert_array_equal(clip.pts_seconds, asked.pts_seconds)
    assert clip.duration_seconds == asked.duration_seconds == 6.0
    assert numbers_in(clip.frames) == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize("rule", RULES)
def test_a_part_of_a_video_is_that_part(tmp_path, rule):
    write_film(tmp_path / "film.mp4", 60)
    media, source = _video("film.mp4", 2.05, 5.5), _source(tmp_path)
    clip = read_clip(media, source, FrameChoice(max_frames=3, rule=rule))
    assert len(clip) == _predicted(media, source, FrameChoice(max_frames=3, rule=rule)) == 3
    assert clip.duration_seconds == pytest.approx(3.45)
    numbers = numbers_in(clip.frames)
    assert all(20 <= number < 55 for number in numbers), "frames of the part alone"
    np.testing.assert_allclose(clip.pts_seconds, [number / 10 - 2.05 for number in numbers], atol=1e-9)
    assert min(np.diff(numbers)) >= 10, "spread over the part, not consecutive"


def test_the_first_frame_of_a_part_is_the_one_on_screen_then(tmp_path):
    write_film(tmp_path / "film.mp4", 60)
    clip = read_clip(_video("film.mp4", 2.05, 4.05), _source(tmp_path), EVERY_SECOND)
    assert numbers_in(clip.frames) == [20, 30]
    np.testing.assert_allclose(clip.pts_seconds, [0.0, 0.95])


def test_annotated_ends_are_rounded_to_the_end_of_the_video(tmp_path):
    write_film(tmp_path / "film.mp4", 60)
    assert read_clip(_video("film.mp4", 4.0, 7.0), _source(tmp_path), EVERY_SECOND).duration_seconds == 2.0


@pytest.mark.parametrize(
    ("span", "fault"),
    [((6.0, 7.0), MediaFault.BEHIND_END), ((30.0, 40.0), MediaFault.BEHIND_END), ((4.0, 7.5), MediaFault.SHORTER)],
)
@pytest.mark.parametrize("kind", ["video", "frames"])
def test_a_part_that_the_video_does_not_have_is_refused(tmp_path, span, fault, kind):
    name, fps = ("film.mp4", None) if kind == "video" else ("show", 10.0)
    write_film(tmp_path / "film.mp4", 60)
    write_folder(tmp_path / "show", 60)
    with pytest.raises(MediaError, match=r"lasts 6\.00 s; annotated") as caught:
        read_clip(_video(name, *span), _source(tmp_path, fps), EVERY_SECOND)
    assert caught.value.fault is fault


def test_times_of_a_variable_rate_are_true(tmp_path):
    ticks = [*range(0, 10), *range(20, 60, 20), *range(60, 80)]
    write_film(tmp_path / "film.mkv", len(ticks), ticks=ticks)
    clip = read_clip(_video("film.mkv"), _source(tmp_path), EVERY_SECOND)
    assert numbers_in(clip.frames) == [0, 9, 10, 10, 11, 11, 12, 22]
    np.testing.assert_allclose(clip.pts_seconds, [0, 0.9, 2, 2, 4, 4, 6, 7])


def test_a_gif_has_the_times_that_it_says(tmp_path):
    write_gif(tmp_path / "a.gif", [100] * 20 + [500] * 4)
    clip = read_clip(_video("a.gif"), _source(tmp_path), EVERY_SECOND)
    assert clip.duration_seconds == pytest.approx(4.0)
    assert numbers_in(clip.frames) == [0, 10, 20, 22]
    np.testing.assert_allclose(clip.pts_seconds, [0.0, 1.0, 2.0, 3.0])
    part = read_clip(_video("a.gif", 2.0, 4.0), _source(tmp_path), EVERY_SECOND)
    assert numbers_in(part.frames) == [20, 22]


@pytest.mark.parametrize("name", ["{:05d}.jpg", "c01_{:04d}.jpeg", "frame{}.PNG", "{} of 70.jpg"])
def test_frames_of_a_folder_are_in_natural_order_at_their_rate(tmp_path, name):
    write_folder(tmp_path / "show [x]", 36, name)
    for extra in ("Thumbs.db", "._00001.jpg", "list.txt"):
        (tmp_path / "show [x]" / extra).write_bytes(b"no picture")
    media, source = _video("show [x]"), _source(tmp_path, 3.0)
    clip = read_clip(media, source, EVERY_SECOND)
    assert numbers_in(clip.frames) == list(range(0, 36, 3))
    np.testing.assert_allclose(clip.pts_seconds, np.arange(12))
    assert clip.duration_seconds == 12.0
    assert _predicted(media, source, EVERY_SECOND) == 12
    part = read_clip(_video("show [x]", 4.2, 8.2), source, EVERY_SECOND)
    assert numbers_in(part.frames) == [12, 15, 18, 21]
    np.testing.assert_allclose(part.pts_seconds, [0.0, 0.8, 1.8, 2.8], atol=1e-9)


def test_a_missing_frame_leaves_a_gap_in_time(tmp_path):
    write_folder(tmp_path / "show", 10)
    (tmp_path / "show/00004.jpg").unlink()
    clip = read_clip(_video("show"), _source(tmp_path, 1.0), EVERY_SECOND)
    assert numbers_in(clip.frames) == [0, 1, 2, 2, 4, 5, 6, 7, 8, 9]
    assert clip.pts_seconds.tolist() == [0, 1, 2, 2, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("step", [1, 30])
def test_names_that_count_in_steps_are_consecutive_frames(tmp_path, step):
    write_folder(tmp_path / "show", 5, step=step)
    assert read_clip(_video("show"), _source(tmp_path, 1.0), EVERY_SECOND).pts_seconds.tolist() == [0, 1, 2, 3, 4]


def test_an_image_is_upright_and_rgb(tmp_path):
    sideways = Image.fromarray(picture(9))
    exif = sideways.getexif()
    exif[0x0112] = 6
    sideways.save(tmp_path / "a.jpg", exif=exif)
    Image.fromarray(np.full((8, 8), 0x4000, np.uint16)).save(tmp_path / "grey16.png")
    Image.fromarray(picture(9)).convert("P").save(tmp_path / "palette.png")
    shapes = {}
    for name in ("a.jpg", "grey16.png", "palette.png"):
        clip = read_clip(Media("image", name), _source(tmp_path), EVERY_SECOND)
        assert (len(clip), clip.pts_seconds.tolist(), clip.duration_seconds) == (1, [0.0], 0.0)
        shapes[name] = clip.frames.shape[1:3]
        assert clip.frames.mean() == pytest.approx(0x40 if name == "grey16.png" else 36, abs=2)
    assert shapes["a.jpg"] == (64, 48), "turned by its EXIF data"
    facts = probe_media(find_media(Media("image", "a.jpg"), _source(tmp_path)))
    assert (facts.height_px, facts.width_px, facts.codec) == (64, 48, "jpeg")


def test_images_of_a_source_of_folders_are_files(tmp_path):
    write_picture(tmp_path / "a.png")
    assert numbers_in(read_clip(Media("image", "a.png"), _source(tmp_path, 1.0), EVERY_SECOND).frames) == [9]


@pytest.mark.parametrize("kind", ["image", "video", "frames"])
def test_frames_come_in_the_size_asked_for(tmp_path, kind):
    write_film(tmp_path / "film.mp4", 20)
    write_folder(tmp_path / "show", 20)
    write_picture(tmp_path / "a.jpg")
    media = Media("image", "a.jpg") if kind == "image" else _video("film.mp4" if kind == "video" else "show")
    source = _source(tmp_path, 10.0 if kind == "frames" else None)
    assert read_clip(media, source, EVERY_SECOND, (24, 32)).frames.shape[1:] == (24, 32, 3)


@pytest.fixture
def damaged(tmp_path):
    """A name for each fault, in a folder with the file that has it."""
    film = write_film(tmp_path / "film.mp4", 60)
    data = film.read_bytes()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("once upon a time\n" * 100)
    (tmp_path / "text.jpg").write_text("once upon a time\n" * 100)
    whole = write_picture(tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "no frames").mkdir()
    hole = data.index(b"mdat") + 4 + len(data) // 3
    (tmp_path / "hole.mp4").write_bytes(data[:hole] + bytes(len(data) // 4) + data[hole + len(data) // 4 :])
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "name", "fault"),
    [
        ("video", "gone.mp4", MediaFault.MISSING),
        ("video", "film.mp4/inside.mp4", MediaFault.MISSING),
        ("image", "gone.jpg", MediaFault.MISSING),
        ("frames", "gone", MediaFault.MISSING),
        ("video", "folder.mp4", MediaFault.FOLDER),
        ("image", "folder.mp4", MediaFault.FOLDER),
        ("frames", "film.mp4", MediaFault.NOT_A_FOLDER),
        ("frames", "no frames", MediaFault.EMPTY_FOLDER),
        ("video", "empty.mp4", MediaFault.EMPTY_FILE),
        ("image", "empty.mp4", MediaFault.EMPTY_FILE),
        ("video", "text.mp4", MediaFault.UNDECODABLE),
        ("image", "text.jpg", MediaFault.UNDECODABLE),
        ("image", "cut.jpg", MediaFault.UNDECODABLE),
    ],
)
def test_bad_media_are_refused_by_name_and_reason(damaged, kind, name, fault):
    media = Media("image" if kind == "image" else "video", name)
    source = _source(damaged, 1.0 if kind == "frames" else None)
    with pytest.raises(MediaError) as caught:
        read_clip(media, source, EVERY_SECOND)
    assert caught.value.fault is fault
    assert f"'{damaged / name}'" in caught.value.found
    facts = probe_media(find_media(media, source))
    assert (facts.fault, str(damaged / name) in facts.message) == (fault, True)
    with pytest.raises(MediaError):
        facts.part(media)


def test_frames_that_cannot_be_decoded_are_not_replaced(damaged):
    with pytest.raises(MediaError) as caught:
        read_clip(_video("hole.mp4"), _source(damaged), FrameChoice(fps=10.0))
    assert caught.value.fault is MediaFault.DAMAGED
    assert "of 60 frames" in caught.value.found


def test_several_frames_without_times_are_refused(tmp_path, monkeypatch):
    write_film(tmp_path / "film.mp4", 20)
    opened = media_module._facts_of

    def without_length(file, video):
        timeless = SimpleNamespace(info=replace(video.info, duration_seconds=0.0), timeline=video.timeline)
        return opened(file, timeless)

    monkeypatch.setattr(media_module, "_facts_of", without_length)
    with pytest.raises(MediaError, match="has 20 frames and no length") as caught:
        read_clip(_video("film.mp4"), _source(tmp_path), EVERY_SECOND)
    assert caught.value.fault is MediaFault.NO_LENGTH
    assert probe_media(find_media(_video("film.mp4"), _source(tmp_path))).fault is MediaFault.NO_LENGTH


def test_a_folder_of_frames_of_two_sizes_is_refused(tmp_path):
    write_folder(tmp_path / "show", 4)
    Image.fromarray(picture(9, 24, 32)).save(tmp_path / "show/00003.jpg")
    with pytest.raises(MediaError, match=r"frames of different sizes: .*jpg' 64x48 px, .*00003.jpg' 32x24 px"):
        read_clip(_video("show"), _source(tmp_path, 1.0), EVERY_SECOND)


def test_media_without_a_root_are_refused(tmp_path):
    with pytest.raises(MediaError, match=r"which has no root folder.*roots: {'a.json': FOLDER}") as caught:
        read_clip(_video("film.mp4"), Source("a.json", tmp_path / "a.json"), EVERY_SECOND)
    assert caught.value.fault is MediaFault.NO_ROOT


def test_a_cut_file_is_as_long_as_what_is_left_of_it(tmp_path):
    whole = write_film(tmp_path / "film.mkv", 300)
    facts = probe_media(find_media(_video("film.mkv"), _source(tmp_path)))
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    cut = probe_media(find_media(_video("cut.mkv"), _source(tmp_path)))
    assert (facts.duration_seconds, facts.frames, facts.fps, facts.promised_seconds) == (30.0, 300, 10.0, 30.0)
    assert (facts.codec, facts.width_px, facts.height_px) == ("h264", 64, 48)
    assert 5 < cut.duration_seconds < 25
    assert cut.promised_seconds == 30.0


def test_the_hash_tells_files_apart(tmp_path):
    one = write_picture(tmp_path / "a.png", 1)
    shutil.copy(one, tmp_path / "copy.png")
    write_picture(tmp_path / "b.png", 2)
    names = {name: probe_media(find_media(Media("image", name), _source(tmp_path))) for name in ("a.png", "copy.png")}
    assert names["a.png"].sha256 == names["copy.png"].sha256
    assert names["a.png"].sha256 != probe_media(find_media(Media("image", "b.png"), _source(tmp_path))).sha256
    assert (names["a.png"].size_bytes, names["a.png"].modified_ns) == (one.stat().st_size, one.stat().st_mtime_ns)
