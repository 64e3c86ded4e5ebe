"""The pixel oracle sees only the file, and reads everything in it."""

import re
from dataclasses import replace

import numpy as np
import pytest

from longpanda.longwatch import FAMILIES, Split, film, render, scene_seed
from longpanda.longwatch.gallery import gallery
from longpanda.longwatch.oracle import NOT_UNDERSTOOD, answer, read_film_sights
from longpanda.longwatch.reader import FrameReader
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.suite import ROOM_SCRIPTS

STEADY = LEVELS["steady"]


def _scene(index, minutes=3):
    return gallery(scene_seed(Split.DEV, 3000 + index), STEADY).scene(60 * minutes)


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "gallery.mp4"
    film(_scene(0), path, size_px=448, fps=0.5, crf=28)
    return path


def test_every_family_is_answered_from_the_file(movie):
    scene = read_film_sights(movie, 4.0).scene()
    assert scene.room == "gallery"
    for family in FAMILIES.values():
        for sample in family.ask(_scene(0), np.random.default_rng(0)):
            assert family.mark(answer(scene, sample.question), sample).value == 1.0, sample


@pytest.mark.parametrize("level", ["brisk", "flash"])
@pytest.mark.parametrize("room", ROOM_SCRIPTS)
def test_every_room_is_answered_from_a_file_at_the_fast_levels(room, level, tmp_path):
    dwell_seconds = LEVELS[level].dwell_seconds
    scene = ROOM_SCRIPTS[room](scene_seed(Split.DEV, 77), LEVELS[level]).scene(15 * dwell_seconds)
    film(scene, tmp_path / "film.mp4", size_px=192, fps=4 / dwell_seconds, crf=28)
    seen = read_film_sights(tmp_path / "film.mp4", dwell_seconds / 4).scene()
    assert seen.room == room
    asked = [sample for family in FAMILIES.values() for sample in family.ask(scene, np.random.default_rng(0))]
    assert len(asked) >= 7
    for sample in asked:
        assert FAMILIES[sample.family].mark(answer(seen, sample.question), sample).value == 1.0, sample


def test_events_are_found_with_their_times(movie):
    seen, true = read_film_sights(movie, 2.0).scene(), _scene(0)
    assert len(seen.events) == len(true.events)
    assert {_bare(event) for event in seen.events} == {_bare(event) for event in true.events}
    for event in seen.events:
        near = [e for e in true.events if _bare(e) == _bare(event)]
        assert min(abs(e.start_seconds - event.start_seconds) for e in near) <= 2.0
        assert min(abs(e.end_seconds - event.end_seconds) for e in near) <= 2.0


def _bare(event):
    """Remove times and jitter from an event."""
    changed = {"start_seconds": 0.0, "end_seconds": 1.0} | ({"dx": 0.0, "dy": 0.0} if hasattr(event, "cell") else {})
    return replace(event, **changed)


@pytest.mark.parametrize("index", range(1, 3))
def test_raw_frames_are_read_exactly(index):
    scene, reader = _scene(index), FrameReader("gallery", 448)
    for moment in np.arange(1.0, 179.0, 17.0):
        shown = [event for event in scene.events if event.start_seconds <= moment < event.end_seconds]
        sight = reader.read(render(scene, [moment], 448)[0])
        assert sorted(map(_bare, sight.values()), key=str) == sorted(map(_bare, shown), key=str)


def test_an_oracle_that_sees_nothing_answers_nothing_right():
    scene = _scene(0)
    empty = replace(scene, events=())
    samples = [s for family in FAMILIES.values() for s in family.ask(scene, np.random.default_rng(0))]
    right = [FAMILIES[s.family].score(answer(empty, s.question), s) for s in samples if s.target not in ("never", "0")]
    assert sum(right) == 0
    assert answer(empty, "What is the meaning of life?") == NOT_UNDERSTOOD


def test_questions_are_understood_by_their_own_family_alone():
    scene = _scene(2)
    for family in FAMILIES.values():
        for sample in family.ask(scene, np.random.default_rng(0)):
            assert [f.name for f in FAMILIES.values() if f.understand(sample.question)] == [family.name]
            template, fields = family.understand(sample.question)
            assert family.templates[template].format(**fields) == sample.question
            assert not re.search(r"[{}]", sample.question)
