"""Positions of short clips as in long prompts: stretches move apart, and nothing within one does."""

import numpy as np
import pytest
import torch
from tiny import asked, noise, tiny

from longpanda.train.positions import spread
from longpanda.types import Lesson

QUESTIONS = (asked("What number is on the red circle?", "42"), asked("Where is the key at the end?", "left"))


@pytest.fixture(scope="module")
def processor():
    return tiny()[1]


def spread_lessons(processor, lessons, positions=30000):
    batch = processor.lessons(lessons)
    ids = batch["input_ids"]
    return batch, spread(batch["position_ids"], ids, lessons, processor.video_token_id, positions)


def lessons(count):
    return [Lesson(noise(6, seed=i, step_seconds=5 + i / 8), QUESTIONS) for i in range(count)]


def test_stretches_move_apart_and_stay_whole(processor):
    batch, moved = spread_lessons(processor, lessons(24))
    per_frame = 12  # two tokens of time and ten of the frame
    same = 0
    for before, after in zip(batch["position_ids"], moved, strict=True):
        gaps = after[: 6 * per_frame].diff()
        assert (gaps[torch.arange(len(gaps)) % per_frame != per_frame - 1] == 1).all(), "a frame was torn apart"
        assert (gaps >= 1).all()
        assert after[0] == 0
        assert after.max() < 30000
        question = slice(6 * per_frame, None)
        assert (after[question] - before[question]).unique().numel() == 1, "questions move as one"
        same += int(torch.equal(before, after))
    assert 1 <= same <= 14, "some prompts stay short"
    assert moved.max() > 15000


def test_skips_follow_from_the_lesson(processor):
    one, other = lessons(8), lessons(8)[::-1]
    assert torch.equal(spread_lessons(processor, one)[1], spread_lessons(processor, other)[1].flip(0))


@pytest.mark.parametrize(("frames", "positions"), [(1, 30000), (6, 40)])
def test_where_nothing_can_be_skipped_nothing_is(processor, frames, positions):
    for seed in range(4):
        batch, moved = spread_lessons(processor, [Lesson(noise(frames, seed=seed), QUESTIONS)], positions)
        assert torch.equal(moved, batch["position_ids"])


def test_a_lesson_without_questions_may_be_spread(processor):
    batch, moved = spread_lessons(processor, [Lesson(noise(6), ()), lessons(1)[0]])
    assert moved.shape == batch["position_ids"].shape
    assert np.all(moved.numpy() >= 0)
