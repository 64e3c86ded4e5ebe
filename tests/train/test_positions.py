"""Positions of short clips as in long prompts: stretches move apart, and nothing within one does."""

import numpy as np
import pytest
import torch
from tiny import SMALLEST_TEXT, asked, noise, tiny

from longpanda.errors import ConfigError
from longpanda.inference import load
from longpanda.longwatch.examples import LongWatchData
from longpanda.train import run
from longpanda.train.positions import spread
from longpanda.train.recipe import ModelRecipe, Recipe, StageRecipe
from longpanda.types import Example

QUESTIONS = (asked("What number is on the red circle?", "42"), asked("Where is the key at the end?", "left"))


@pytest.fixture(scope="module")
def processor():
    return tiny()[1]


def spread_examples(processor, examples, positions=30000):
    batch = processor.training_batch(examples)
    ids = batch["input_ids"]
    return batch, spread(batch["position_ids"], ids, examples, processor.video_token_id, positions)


def examples(count):
    return [Example(noise(6, seed=i, step_seconds=5 + i / 8), QUESTIONS) for i in range(count)]


def test_stretches_move_apart_and_stay_whole(processor):
    batch, moved = spread_examples(processor, examples(24))
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


def test_skips_follow_from_the_example(processor):
    one, other = examples(8), examples(8)[::-1]
    assert torch.equal(spread_examples(processor, one)[1], spread_examples(processor, other)[1].flip(0))


@pytest.mark.parametrize(("frames", "positions"), [(1, 30000), (6, 40)])
def test_where_nothing_can_be_skipped_nothing_is(processor, frames, positions):
    for seed in range(4):
        batch, moved = spread_examples(processor, [Example(noise(frames, seed=seed), QUESTIONS)], positions)
        assert torch.equal(moved, batch["position_ids"])


def test_an_example_without_questions_may_be_spread(processor):
    batch, moved = spread_examples(processor, [Example(noise(6), ()), examples(1)[0]])
    assert moved.shape == batch["position_ids"].shape
    assert np.all(moved.numpy() >= 0)


MAMBA = {"model_type": "mamba", "hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 32, "state_size": 4}


@pytest.mark.parametrize(("text", "positions"), [(MAMBA, 0), (MAMBA, 4000), (SMALLEST_TEXT, 4000)])
def test_one_question_a_clip_teaches_what_knows_no_positions(tmp_path, text, positions):
    """Where they are to be moved, that is refused of a language model without any."""
    data = LongWatchData(frames=(1, 2), families=("needle",), questions=1)
    stage = StageRecipe("one", 2, data=data, positions=positions, batch=2, learning_rate=1e-3)
    recipe = Recipe(name="test", model=ModelRecipe("nano", text, {"frames": 4}, notice=""), stages=(stage,), workers=0)
    if text is MAMBA and positions:
        with pytest.raises(ConfigError, match="position_ids for a 'mamba', which would ignore it"):
            run.train(recipe, tmp_path)
    else:
        assert load(str(run.train(recipe, tmp_path))).model.language_model.config.model_type == text["model_type"]
