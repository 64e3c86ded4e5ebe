"""What the bundled long model is for: a recording that grows, questions about what has come, and where it was seen."""

import numpy as np
import pytest
import torch
from tiny import as_recording

from longpanda.inference import load
from longpanda.longwatch import FAMILIES, Split, film, scene_seed
from longpanda.longwatch.examples import paced_gallery

FRAMES, STEP_SECONDS = 128, 7.5


@pytest.fixture(scope="module")
def scene():
    """16 minutes."""
    return paced_gallery(scene_seed(Split.DEV, 7), FRAMES, STEP_SECONDS)


def needles(scene):
    return FAMILIES["needle"].ask(scene, np.random.default_rng(0))


@pytest.fixture(scope="module")
def recording(scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    film(scene, folder / "film.mp4", size_px=96, fps=1.0)
    return as_recording(folder / "film.mp4", folder / "film.ts").read_bytes()


def test_what_was_appended_is_answered_about_as_if_it_had_always_been_there(scene, recording, tmp_path):
    panda, growing = load("nano-long"), tmp_path / "growing.ts"
    growing.write_bytes(recording[: len(recording) // 2])
    before = panda.index(growing, tmp_path / "growing.vidx", storage="float32")
    half = before.tokens.ends_seconds[-1]
    growing.write_bytes(recording)
    after = panda.index(growing, tmp_path / "growing.vidx", append=True)
    rebuilt = panda.index(growing, tmp_path / "rebuilt.vidx", storage="float32")
    assert FRAMES * STEP_SECONDS * 0.3 < half < FRAMES * STEP_SECONDS * 0.7
    assert torch.equal(after.tokens.values, rebuilt.tokens.values)

    grown, once = panda.watch(after.path), panda.watch(rebuilt.path)
    asked = [one for one in needles(scene) if one.evidence_seconds]
    later = [one for one in asked if one.evidence_seconds[0][0] > half + STEP_SECONDS]
    answers = [(one.target, grown.ask(one.question).text, once.ask(one.question).text) for one in later]
    assert len(answers) >= 2
    assert all(target == text == again for target, text, again in answers), answers


@pytest.mark.parametrize("fps", [1 / 7.5, 1.0])
def test_evidence_of_a_number_is_where_its_card_shows(scene, recording, tmp_path, fps):
    """At the model's own rate, and at a frame a second, where a card shows in many frames that are nearly equal."""
    panda, video = load("nano-long"), tmp_path / "film.ts"
    video.write_bytes(recording)
    panda.index(video, tmp_path / "film.vidx", fps=fps)
    session = panda.watch(tmp_path / "film.vidx", budget_tokens=10_000)
    answers = [(one, session.ask(one.question, evidence=True)) for one in needles(scene)]
    right = [(one, answer) for one, answer in answers if answer.text == one.target and one.evidence_seconds]
    assert len(right) >= 3
    for one, answer in right:
        ((start, end),) = one.evidence_seconds
        assert answer.evidence[0].start_seconds < end
        assert answer.evidence[0].end_seconds > start
        assert answer.evidence[0].end_seconds - answer.evidence[0].start_seconds <= 30.0
