"""How many threads decode a video that is indexed or asked."""

import os
import shutil
import time
from pathlib import Path

import pytest

from longpanda.errors import ConfigError
from longpanda.index import file_encoder
from longpanda.video import Sampling

FPS = 10.0


@pytest.mark.parametrize(
    ("cores", "age_seconds", "workers"), [(1, 90, 1), (3, 90, 3), (64, 90, 4), (3, 30, 1), (3, -90, 1)]
)
def test_workers_are_for_the_cores_and_one_for_a_recording(
    squeezed, film, tmp_path, monkeypatch, cores, age_seconds, workers
):
    recording, asked = Path(shutil.copy(film, tmp_path)), []
    os.utime(recording, (time.time() - age_seconds,) * 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores), raising=False)
    original = file_encoder.iter_frames
    monkeypatch.setattr(file_encoder, "iter_frames", lambda *a, **k: asked.append(k["workers"]) or original(*a, **k))
    squeezed.index(recording, fps=FPS)
    squeezed.watch(recording, Sampling(fps=FPS))
    assert asked == [workers, workers]


def test_an_impossible_number_of_workers_is_refused(squeezed, film, tmp_path):
    with pytest.raises(ConfigError, match="workers=0"):
        squeezed.index_builder(film, tmp_path / "film.vidx", workers=0)
