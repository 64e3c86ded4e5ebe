"""Objectives: what each adds to a step's loss, and how another one and another kind of data join."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from tiny import SMALLEST_TEXT, asked, noise

import longpanda
from longpanda.errors import ConfigError
from longpanda.longwatch.examples import LongWatchData
from longpanda.model.tokens import RaggedTokens
from longpanda.train import run
from longpanda.train.data_kinds import DATA_KINDS
from longpanda.train.new_model import new_model
from longpanda.train.objectives.kinds import OBJECTIVES, ObjectiveRecipe
from longpanda.train.objectives.step import Head, Measured
from longpanda.train.recipe import recipe_of
from longpanda.types import Conversation, Example, Turn

TEMPORAL = {"grid": [2, 2], "layers": 0, "head_width": 64, "pool_frames": 2}
MODEL = {"stab_size": "nano", "text": SMALLEST_TEXT, "sampling": {"frames": 2}}
SHOWN = {"kind": "longwatch", "frames": [3], "families": ["needle", "count"]}
RUN = {"name": "test", "workers": 0, "log_steps": 1, "save_steps": 2}


def recipe(temporal=None, data=None, **stage):
    one = {"name": "one", "steps": 2, "batch": 2, "learning_rate": 1e-3, "data": data or SHOWN}
    return recipe_of(RUN | {"model": MODEL | {"temporal": temporal}, "stages": [one | stage]})


def step_of(temporal=None, **stage):
    """A model in training after one backward pass, and what it learned."""
    about = recipe(temporal, **stage)
    new = new_model(about)
    new.model.begin(about.stages[0])
    source = about.stages[0].data.source(2, 0, 96)
    output = new.model(**new.processor.training_batch([source[0], source[1]]))
    output.loss.backward()
    return new.model, output


def history(out):
    state = json.loads((out / "0-one/checkpoint-2/trainer_state.json").read_text())
    return [one for one in state["log_history"] if "loss" in one]


ALL = ["answers", "cell_probe", "group_probe"]


def test_the_loss_is_the_weighted_sum_of_the_objectives():
    weights = {"answers": 0.25, "cell_probe": 0.5, "group_probe": 3.0}
    _, plain = step_of(TEMPORAL, objectives=ALL)
    _, weighed = step_of(TEMPORAL, objectives=[{"kind": kind, "weight": weight} for kind, weight in weights.items()])
    parts = {name: value for name, value in plain.parts.items() if name.endswith("_loss")}
    assert set(parts) == {"answer_loss", "cell_loss", "group_loss"}
    torch.testing.assert_close(plain.loss, sum(parts.values()))
    assert all(torch.equal(value, weighed.parts[name]) for name, value in parts.items()), "of the same weights"
    expected = 0.25 * parts["answer_loss"] + 0.5 * parts["cell_loss"] + 3.0 * parts["group_loss"]
    torch.testing.assert_close(weighed.loss, expected)


def test_an_objective_that_is_not_named_neither_counts_nor_learns():
    model, output = step_of(TEMPORAL, objectives=["group_probe"])
    assert {name for name in output.parts if name.endswith("_loss")} == {"group_loss"}
    assert set(model.heads) == {"group_probe"}
    learned = {name.partition(".")[0] for name, weight in model.named_parameters() if weight.grad is not None}
    assert learned == {"stab", "projector", "temporal", "heads"}, "no objective reads an answer"


def test_a_head_of_another_stage_keeps_still():
    about = recipe(TEMPORAL)
    first = dataclasses.replace(about.stages[0], name="two", objectives=about.stages[0].objectives[1:2])
    new = new_model(dataclasses.replace(about, stages=(about.stages[0], first)))
    new.model.begin(first)
    assert not any(weight.requires_grad for weight in new.model.heads["group_probe"].parameters())
    assert all(weight.requires_grad for weight in new.model.heads["cell_probe"].parameters())


def test_groups_of_several_sizes_are_no_group_probes():
    about = recipe(TEMPORAL, objectives=["group_probe"])
    new = new_model(about)
    new.model.begin(about.stages[0])
    new.model.reducer = LessOfOne()
    source = about.stages[0].data.source(2, 0, 96)
    with pytest.raises(ConfigError, match=r"groups of 3, 4 tokens for a group_probe; expected 4 of each"):
        new.model(**new.processor.training_batch([source[0]]))


class LessOfOne:
    """Leaves out one token of each group of a single frame."""

    def __call__(self, tokens):
        parts = zip(torch.split(tokens.values, tokens.group_tokens), tokens.group_frames, strict=True)
        kept = [part[frames == 1 :] for part, frames in parts]
        return RaggedTokens(torch.cat(kept), tuple(map(len, kept)), tokens.group_frames)

    def fingerprint_parts(self):
        yield b"one less"


class LengthHead(Head):
    """Short visual tokens."""

    log_name = "length"

    def __init__(self, power):
        super().__init__()
        self.power = power

    def forward(self, step):
        loss = step.visual.float().pow(self.power).mean()
        return Measured(loss)


@dataclasses.dataclass(frozen=True)
class LengthRecipe(ObjectiveRecipe):
    """Visual tokens of no great length."""

    power: int = 2
    kind: str = dataclasses.field(default="length", init=False)

    def head(self, _sizes):
        return LengthHead(self.power)


@dataclasses.dataclass(frozen=True)
class NoiseData:
    """Noise with a question, and no labels."""

    frames: int = 2
    kind: str = dataclasses.field(default="noise", init=False)
    asks = True
    label_classes = {}  # noqa: RUF012 - the protocol's
    label_grid = (1, 1)

    def vocabulary(self):
        return ["What is this?", "noise"]

    def source(self, count, _number, size_px, _processor):
        return [
            Example(noise(self.frames, size_px, size_px, i), (asked("What is this?", "noise"),)) for i in range(count)
        ]


def test_another_objective_is_a_class_and_a_line(monkeypatch, tmp_path):
    monkeypatch.setitem(OBJECTIVES, "length", LengthRecipe)
    about = recipe(objectives=["answers", {"kind": "length", "weight": 0.1}])
    folder = run.train(about, tmp_path / "run")
    for one in history(tmp_path / "run"):
        assert one["length_loss"] > 0
        assert not any(name == "length_accuracy" for name in one), "it predicts nothing"
        assert one["loss"] == pytest.approx(one["answer_loss"] + 0.1 * one["length_loss"], abs=1e-3)
    assert not any("heads" in name for name in longpanda.load(folder).model.state_dict())


def test_objectives_of_one_kind_differ_by_their_weight_alone(monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "length", LengthRecipe)
    first, same, other = (
        dataclasses.replace(recipe().stages[0], name=name, objectives=(LengthRecipe(weight, power),))
        for name, weight, power in (("one", 1.0, 2), ("two", 0.5, 2), ("three", 1.0, 4))
    )
    dataclasses.replace(recipe(), stages=(first, same))
    with pytest.raises(ConfigError, match="objectives length that differ in more than their weight"):
        dataclasses.replace(recipe(), stages=(first, other))


def test_another_kind_of_data_is_a_class_and_a_line(monkeypatch, tmp_path):
    monkeypatch.setitem(DATA_KINDS, "noise", NoiseData)
    folder = run.train(recipe(TEMPORAL, data={"kind": "noise", "frames": 3}), tmp_path / "run")
    assert all({*one} & {"cell_loss", "group_loss"} == set() for one in history(tmp_path / "run")), "it has no labels"
    panda = longpanda.load(folder)
    assert panda.processor.tokenizer.encode("noise") != panda.processor.tokenizer.encode("circle")
    assert "circle" not in panda.processor.tokenizer.get_vocab(), "the words are those of the data"
    written = json.loads((tmp_path / "run/recipe.json").read_text())
    assert written["stages"][0]["data"] == {"frames": 3, "kind": "noise"}


def test_labelled_data_and_data_without_labels_share_a_run(monkeypatch, tmp_path):
    monkeypatch.setitem(DATA_KINDS, "noise", NoiseData)
    about = recipe(TEMPORAL)
    other = dataclasses.replace(about.stages[0], name="two", data=NoiseData())
    run.train(dataclasses.replace(about, stages=(about.stages[0], other)), tmp_path / "run")
    parts = [path.read_text() for path in sorted((tmp_path / "run").glob("*/checkpoint-2/trainer_state.json"))]
    assert ["group_loss" in text for text in parts] == [True, False]
    assert all("answer_loss" in text for text in parts)


def test_longwatch_labels_are_those_of_its_cells():
    data = LongWatchData(frames=(2,), stills=True)
    labels = data.source(1, 0, 96)[0].cell_labels
    assert labels.shape == (2, *data.label_grid, len(data.label_classes))
    assert (labels.max((0, 1, 2)) < np.array(list(data.label_classes.values()))).all()


def test_text_alone_gives_every_part_a_gradient():
    about = recipe(TEMPORAL, objectives=["answers"])
    new = new_model(about)
    new.model.begin(about.stages[0])
    turns = (Turn("user", "where is the key?"), Turn("assistant", "left"))
    output = new.model(**new.processor.training_batch([(Conversation((), turns),)]))
    output.loss.backward()
    assert output.loss == output.parts["answer_loss"]
    for part in ("stab", "temporal", "projector", "language_model"):
        gradients = [weight.grad for weight in getattr(new.model, part).parameters() if weight.requires_grad]
        assert all(gradient is not None for gradient in gradients) or part == "language_model"
    assert not any(weight.grad.any() for weight in new.model.projector.parameters()), "nothing was shown"
