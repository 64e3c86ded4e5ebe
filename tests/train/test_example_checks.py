"""Examples that are not what their data kind declares are refused by name, before the first step."""

import dataclasses

import numpy as np
import pytest
from tiny import SMALLEST_TEXT, asked, noise

from longpanda.errors import ConfigError
from longpanda.train import run
from longpanda.train.data_kinds import DATA_KINDS
from longpanda.train.example_checks import check_example
from longpanda.train.new_model import new_model
from longpanda.train.objectives.kinds import OBJECTIVES, ObjectiveRecipe
from longpanda.train.objectives.step import Head, Measured
from longpanda.train.recipe import recipe_of
from longpanda.types import Example

ASKED = (asked("What is this?", "noise"),)
LABELS = np.zeros((2, 3, 3, 1), np.int64)


@dataclasses.dataclass(frozen=True)
class OneExample:
    """Data that returns `EXAMPLES[example]` again and again."""

    example: str = "right"
    missing: int = 0
    asks: bool = True
    labelled: bool = True
    kind: str = dataclasses.field(default="one", init=False)

    @property
    def label_classes(self):
        return {"colour": 3} if self.labelled else {}

    @property
    def label_grid(self):
        return (3, 3) if self.labelled else (1, 1)

    def vocabulary(self):
        return ["What is this?", "noise"]

    def source(self, count, _number, _size_px, _processor):
        return [EXAMPLES[self.example]] * (count - self.missing)


EXAMPLES = {
    "right": Example(noise(2, 96, 96), ASKED, LABELS),
    "other": Example(noise(2, 96, 96), (asked("What is that?", "Noise"),), LABELS),
    "silent": Example(noise(2, 96, 96), (), LABELS),
    "no answer": Example(noise(2, 96, 96), (asked("What is this?", " "),), LABELS),
    "unlabelled": Example(noise(2, 96, 96), ASKED),
    "grid": Example(noise(2, 96, 96), ASKED, LABELS[:, :2]),
    "short": Example(noise(2, 96, 96), ASKED, LABELS[:1]),
    "attributes": Example(noise(2, 96, 96), ASKED, np.zeros((2, 3, 3, 2), np.int64)),
    "class": Example(noise(2, 96, 96), ASKED, LABELS + 5),
    "negative": Example(noise(2, 96, 96), ASKED, LABELS - 1),
    "float": Example(noise(2, 96, 96), ASKED, LABELS.astype(np.float64)),
    "nothing": None,
}
REFUSED = {
    "other": r"words that the tokenizer does not know: 'that\?'; .* vocabulary\(\) of the stage's data",
    "silent": "with 0 questions; expected at least one, as `asks` of its data says",
    "no answer": "an example of stage 'one' with an empty answer to 'What is this\\?'",
    "unlabelled": r"an example of stage 'one' with no labels; expected \[2, 3, 3, 1\]",
    "grid": r"with labels \[2, 2, 3, 1\]; expected \[2, 3, 3, 1\]: frames, then label_grid, then attributes",
    "short": r"with labels \[1, 3, 3, 1\]; expected \[2, 3, 3, 1\]",
    "attributes": r"with labels \[2, 3, 3, 2\]; expected \[2, 3, 3, 1\]",
    "class": "with label 5 of attribute 'colour'; expected 0 to 2, or -100",
    "negative": "with label -1 of attribute 'colour'; expected 0 to 2, or -100",
    "float": "with labels of float64; expected int64",
    "nothing": "an example of stage 'one' of type NoneType; expected an Example",
}


@pytest.fixture(autouse=True)
def kind(monkeypatch):
    monkeypatch.setitem(DATA_KINDS, "one", OneExample)


def recipe(stage=None, **data):
    one = {"name": "one", "steps": 2, "batch": 2, "learning_rate": 1e-3, "data": {"kind": "one", **data}}
    model = {"stab_size": "nano", "text": SMALLEST_TEXT, "sampling": {"frames": 2}}
    about = {"name": "test", "workers": 0, "log_steps": 1, "save_steps": 2, "model": model}
    return recipe_of(about | {"stages": [one | (stage or {})]})


@pytest.mark.parametrize("example", REFUSED)
def test_an_example_unlike_its_data_is_refused_before_the_run_begins(example, tmp_path):
    with pytest.raises(ConfigError, match=REFUSED[example]):
        run.train(recipe(example=example), tmp_path / "run")
    assert not (tmp_path / "run/recipe.json").exists(), "the folder is free for another recipe"


def test_an_example_as_declared_trains(tmp_path):
    assert run.train(recipe(), tmp_path / "run") == tmp_path / "run/model"


def test_a_later_example_is_checked_too(tmp_path):
    def examples(stage, _number):
        return [EXAMPLES["right"]] * 3 + [EXAMPLES["silent"]]

    with pytest.raises(ConfigError, match="with 0 questions"):
        run.train(recipe(), tmp_path / "run", examples=examples)


def test_questions_and_labels_that_the_data_does_not_declare_are_refused():
    with pytest.raises(ConfigError, match="with 1 question; expected none, as `asks` of its data says"):
        check_example(EXAMPLES["right"], OneExample(asks=False), "one", True)
    with pytest.raises(ConfigError, match=r"with labels \[2, 3, 3, 1\]; expected none, as its data declares"):
        check_example(EXAMPLES["right"], OneExample(labelled=False), "one", True)


def test_labels_that_no_objective_reads_need_not_be_there(tmp_path):
    run.train(recipe({"objectives": ["answers"]}, example="unlabelled"), tmp_path / "run")


def test_a_source_with_too_few_examples_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="3 examples for stage 'one'; expected 4"):
        run.train(recipe(missing=1), tmp_path / "run")
    with pytest.raises(ConfigError, match="examples of type generator for stage 'one'; expected a sequence"):
        run.train(recipe(), tmp_path / "run", examples=lambda *_: (one for one in [EXAMPLES["right"]] * 4))
    assert not (tmp_path / "run").exists()


def test_words_that_a_start_does_not_know_are_refused_unless_they_are_added(tmp_path):
    start = {"start": "nano", "model": None}
    about = recipe({"objectives": ["answers"]}, example="other")
    with pytest.raises(ConfigError, match=r"does not know: .*'Noise'; .* or to `words` in the recipe"):
        run.train(dataclasses.replace(about, **start), tmp_path / "run")
    run.train(dataclasses.replace(about, **start, words=("that", "noise", "this")), tmp_path / "run")


class ScaleHead(Head):
    """Measures visual tokens, without weights of its own."""

    log_name = "scale"

    def forward(self, step):
        return Measured(step.frame_tokens.float().square().mean())


@dataclasses.dataclass(frozen=True)
class ScaleRecipe(ObjectiveRecipe):
    """Visual tokens of no great length."""

    kind: str = dataclasses.field(default="scale", init=False)

    def head(self, _sizes):
        return ScaleHead()


@pytest.mark.parametrize(
    ("objectives", "freeze"),
    [(["scale"], ["stab", "projector"]), (["scale", "answers"], ["stab", "projector", "language_model"])],
)
def test_a_stage_whose_frozen_parts_leave_nothing_to_train_is_refused(objectives, freeze, monkeypatch, tmp_path):
    monkeypatch.setitem(OBJECTIVES, "scale", ScaleRecipe)
    about = recipe({"objectives": objectives, "freeze": freeze})
    found = rf"objectives {'.*'.join(sorted(objectives))} of stage 'one', for which nothing is left to train"
    with pytest.raises(ConfigError, match=found):
        run.train(about, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    run.train(recipe({"objectives": objectives, "freeze": freeze[:1]}), tmp_path / "run")


class EarlyHead(Head):
    """Measures the front end's tokens, before the projector."""

    log_name = "early"

    def forward(self, step):
        return Measured(step.clips[0].values.square().mean())


def test_a_loss_that_no_trained_weight_affects_is_refused(monkeypatch, tmp_path):
    early = type("EarlyRecipe", (ScaleRecipe,), {"head": lambda *_: EarlyHead()})
    monkeypatch.setitem(OBJECTIVES, "scale", early)
    with pytest.raises(ConfigError, match="objectives scale, for which nothing is left to train"):
        run.train(recipe({"objectives": ["scale"], "freeze": ["stab"]}), tmp_path / "run")


def test_a_model_with_a_reducer_is_neither_trained_nor_stripped():
    new = new_model(recipe())
    new.model.reducer = OfAll()
    with pytest.raises(ConfigError, match=r"training a model with a reducer \(OfAll\); expected none"):
        new.model.begin(recipe().stages[0])
    with pytest.raises(ConfigError, match="taking the heads off a model with a reducer"):
        new.model.strip_heads()


class OfAll:
    """Keeps all tokens."""

    def __call__(self, tokens):
        return tokens

    def fingerprint_parts(self):
        yield b"all"
