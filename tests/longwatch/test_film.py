import sys

import numpy as np
import pytest
from reading import read, truth

from longpanda.errors import ConfigError, VideoError
from longpanda.longwatch import Split, film, generate, read_scene, render, scene_seed
from longpanda.video import decode

SCENE = generate(scene_seed(Split.DEV, 3), 64.0)


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "room.mp4"
    assert film(SCENE, path, size_px=224, fps=1.0).frames == 64
    return path


def test_what_is_filmed_can_be_read_from_the_file(movie):
    moments = sorted(event.start_seconds + 2 for event in SCENE.events)
    clip = decode(movie, moments)
    assert len(clip) == len(SCENE.events) > 3
    for event in SCENE.events:
        frame = clip.frames[moments.index(event.start_seconds + 2)]
        assert read(event, frame) == truth(event)


def test_frame_i_shows_the_scene_at_i_over_fps(movie):
    seconds = np.arange(64.0)
    clip = decode(movie, seconds)
    assert np.allclose(clip.pts_seconds, seconds)
    rendered = render(SCENE, seconds, 224).astype(int)
    error = np.abs(clip.frames - rendered).mean(axis=(1, 2, 3))
    late = np.abs(clip.frames[1:] - rendered[:-1]).mean(axis=(1, 2, 3))
    assert error.max() < 4
    assert np.all(error[1:] <= late + 0.05)


def test_the_same_scene_gives_the_same_file(tmp_path):
    """Repeated, because an encoder that reads uninitialised memory differs only in some runs."""
    contents = set()
    for number in range(8):
        keep = [bytearray(10_000 * number) for _ in range(number)]
        film(SCENE, tmp_path / "a.mp4", size_px=96, fps=1.0)
        contents.add((tmp_path / "a.mp4").read_bytes())
        del keep
    assert len(contents) == 1


def test_the_scene_lies_beside_the_film(movie):
    assert read_scene(movie) == SCENE


def test_a_film_without_its_scene_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"lost\.json"):
        read_scene(tmp_path / "lost.mp4")


@pytest.mark.parametrize("fps", [0, -1, float("nan"), 0.01])
def test_less_than_one_frame_is_refused(tmp_path, fps):
    with pytest.raises(ConfigError, match="fps"):
        film(SCENE, tmp_path / "x.mp4", fps=fps)


def test_a_film_may_not_take_the_name_of_its_scene(tmp_path):
    with pytest.raises(ConfigError, match=r"\.json"):
        film(SCENE, tmp_path / "x.json")


def test_odd_sizes_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(VideoError):
        film(SCENE, tmp_path / "x.mp4", size_px=97)
    assert list(tmp_path.iterdir()) == []


class Killed(BaseException):
    """A signal after which film() cannot clean up."""


def test_a_film_killed_between_its_two_files_has_no_scene(tmp_path, monkeypatch):
    path = tmp_path / "x.mp4"
    film(SCENE, path, size_px=96, fps=0.1)

    def killed(*_):
        raise Killed

    monkeypatch.setattr(sys.modules[film.__module__], "write_atomic", killed)
    with pytest.raises(Killed):
        film(generate(scene_seed(Split.DEV, 4), 64.0), path, size_px=96, fps=0.1)
    with pytest.raises(ConfigError, match=r"no file .*x\.json"):
        read_scene(path)


@pytest.mark.parametrize("name", ["x.mp4", "x.json"])
def test_a_directory_in_the_way_is_refused_and_nothing_is_lost(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "x.txt").touch()
    with pytest.raises(ConfigError, match="is a directory"):
        film(SCENE, tmp_path / "x.mp4", size_px=96, fps=0.1)
    assert {path.name for path in tmp_path.iterdir()} == {name, "x.txt"}


def test_an_impossible_rate_leaves_the_old_film_and_its_scene(movie):
    with pytest.raises(ConfigError, match="fps"):
        film(SCENE, movie, fps=0)
    assert read_scene(movie) == SCENE
