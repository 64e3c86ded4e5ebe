"""Models with a compressor: taught by their own probe, started from models without one, resumed exactly."""

import dataclasses
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import SMALLEST_TEXT, scenery
from transformers import TrainerCallback

from longpanda.errors import ConfigError, ModelError
from longpanda.inference import load
from longpanda.longwatch import vocabulary
from longpanda.longwatch.examples import LongWatchData
from longpanda.model.front_ends import stab as front_end
from longpanda.model.tokens import FrameBatch
from longpanda.processing.labels import IGNORED
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.train import run
from longpanda.train.new_model import new_model
from longpanda.train.objectives.probes import GroupProbe, group_labels
from longpanda.train.recipe import ModelRecipe, Recipe, StageRecipe
from longpanda.train.training_model import HEADS
from longpanda.video import encode

TEMPORAL = {"grid": [2, 2], "layers": 1, "head_width": 96, "state_width": 4, "pool_frames": 2}
PROBES = {"cell_probe", "group_probe"}
QUICK = {"batch": 2, "learning_rate": 1e-3}
ASKED = LongWatchData(frames=(5, 8), families=("needle",))
RECIPE = Recipe(
    name="test",
    model=ModelRecipe("nano", SMALLEST_TEXT, {"frames": 4}, temporal=TEMPORAL),
    stages=(
        StageRecipe("cells", steps=2, data=LongWatchData(frames=(3,), stills=True), freeze=("stab",), **QUICK),
        StageRecipe("ask", steps=3, data=ASKED, freeze=("projector",), **QUICK),
    ),
    times_seconds=1.5,
    workers=0,
    save_steps=2,
    log_steps=1,
)
PLAIN = dataclasses.replace(
    RECIPE,
    model=dataclasses.replace(RECIPE.model, temporal=None),
    stages=(dataclasses.replace(RECIPE.stages[0], freeze=("stab", "projector"), steps=1),),
)


def part_of(name):
    """The part of a model in training that a weight is of; each of its heads is one."""
    return name.removeprefix(f"{HEADS}.").partition(".")[0]


def train(recipe, out, words=None, until=""):
    torch.set_num_threads(1)
    said = []
    tokenizer = word_tokenizer(vocabulary() if words is None else words)
    folder = run.train(recipe, out, report=said.append, until=until, tokenizer=tokenizer)
    return folder, said


def built(temporal, **stage):
    """A model in training, and a batch of its examples."""
    stage = dataclasses.replace(RECIPE.stages[1], **stage)
    about = dataclasses.replace(RECIPE.model, temporal=temporal)
    recipe = dataclasses.replace(RECIPE, model=about, stages=(stage,))
    new = new_model(recipe)
    new.model.begin(stage)
    examples = stage.data.source(2, 0, 96)
    return new.model, new.processor.training_batch([examples[0], examples[1]])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, train(RECIPE, out)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A model without a compressor that does not know the word "never"."""
    words = [word for word in vocabulary() if word != "never"]
    return train(PLAIN, tmp_path_factory.mktemp("runs") / "plain", words)[0]


def test_a_compressor_survives_saving_and_indexing(whole, tmp_path):
    panda = load(str(whole[1][0]))
    assert panda.model.config.temporal_config.pool_frames == 2
    assert panda.model.config.times_seconds == panda.processor.image_processor.times_seconds == 1.5
    assert not any(part_of(name) in PROBES for name in panda.model.state_dict())
    encode(scenery(3), tmp_path / "film.mp4", 10)
    index = panda.index(tmp_path / "film.mp4", tmp_path / "film.vidx", fps=2.0)
    assert index.tokens.values.shape == (3 * 4, 192)
    answer = panda.watch(tmp_path / "film.vidx").ask("How many cards were shown?")
    assert answer.visual_tokens == 12


def test_stages_move_what_they_do_not_freeze(whole):
    model, _ = built(TEMPORAL)
    cells, ask = (torch.load(whole[0] / name / "done.pt") for name in ("0-cells", "1-ask"))
    parts = dict.fromkeys(map(part_of, ask))
    moved = {
        part for part in parts for name in ask if part_of(name) == part and not torch.equal(cells[name], ask[name])
    }
    assert moved == {"stab", "temporal", "language_model", "cell_probe", "group_probe"}
    assert set(parts) == {part_of(name) for name in model.state_dict()}


@pytest.mark.parametrize("freeze", [("stab",), ("stab", "temporal", "projector"), ("language_model",)])
def test_frozen_parts_get_no_gradient(freeze):
    model, batch = built(TEMPORAL, freeze=freeze)
    model(**batch).loss.backward()
    got = {part_of(name) for name, weight in model.named_parameters() if weight.grad is not None}
    resting = {"cell_probe"} if "stab" in freeze else set()
    assert got == {"stab", "temporal", "projector", "language_model", *PROBES} - set(freeze) - resting


@pytest.mark.parametrize(
    "temporal",
    [
        {**TEMPORAL, "pool_frames": 1, "frame_token": True},
        {**TEMPORAL, "grid": [1, 1], "pool_frames": 4, "pooling": "learned"},
        {**TEMPORAL, "direction": "bidirectional"},
        {**TEMPORAL, "layers": 0, "spatial": "mean"},
        {**TEMPORAL, "grid": None, "frame_token": True},
    ],
)
@pytest.mark.parametrize(
    "stage", [{"freeze": ()}, {"freeze": ("stab",)}, {"data": LongWatchData(frames=(5, 8)), "freeze": ("stab",)}]
)
def test_all_that_learns_gets_a_gradient(temporal, stage):
    """Or training on several processes would stop."""
    model, batch = built(temporal, **stage)
    output = model(**batch)
    output.loss.backward()
    assert [name for name, one in model.named_parameters() if one.requires_grad and one.grad is None] == []
    assert ("answer_loss" in output.parts) == ("data" not in stage)
    assert ("cell_loss" not in output.parts) == ("stab" in stage["freeze"])
    assert output.parts["group_loss"] > 0


def test_a_stab_that_learns_nothing_reads_in_blocks_what_it_reads_at_once(monkeypatch):
    model, batch = built(TEMPORAL, freeze=("stab",))
    frames = FrameBatch(**{field.name: batch[field.name] for field in dataclasses.fields(FrameBatch)})
    monkeypatch.setattr(front_end, "BLOCK_WINDOWS", 1)
    blocks = model.visual.clips(frames)
    model.begin(dataclasses.replace(RECIPE.stages[1], freeze=()))
    at_once = model.visual.clips(frames)
    assert len(frames.frame_windows) > 2
    for one, other in zip(blocks, at_once, strict=True):
        assert other.values.requires_grad
        assert not one.values.requires_grad
        torch.testing.assert_close(one.values, other.values)
        assert torch.equal(one.mask, other.mask)


def test_labels_of_groups_name_every_frame_of_them():
    labels = torch.arange(5 * 3 * 2).view(5, 3, 2)[:, 1:]  # two clips of 3 and 2 frames, 2 regions each
    groups = group_labels(labels, [3, 2], 2)
    assert groups.shape == (3, 2, 2, 2)
    assert groups[0].tolist() == [[[2, 3], [4, 5]], [[8, 9], [10, 11]]]
    assert groups[1].tolist() == [[[14, 15], [16, 17]], [[IGNORED] * 2] * 2], "the clip is over"
    assert groups[2].tolist() == [[[20, 21], [22, 23]], [[26, 27], [28, 29]]]


def test_frames_of_a_group_are_told_apart():
    """Two tokens that show one thing each, as two frames: the probe learns to name both."""
    torch.manual_seed(0)
    names = GroupProbe(8, [4], tokens=2, frames=2, cells=1)
    shown = torch.randint(4, (64, 2))
    groups = torch.nn.functional.one_hot(shown, 8).float()
    optimizer = torch.optim.Adam(names.parameters(), 0.1)
    for _ in range(60):
        optimizer.zero_grad()
        found = names.measure(groups, shown[:, :, None, None])
        found.loss.backward()
        optimizer.step()
    assert found.accuracy == 1.0


class Killed(Exception):
    """As a power cut: nothing after it runs."""


class Kill(TrainerCallback):
    """Stops a run when its first checkpoint of a stage is written."""

    def on_save(self, *_, **__):
        raise Killed


def test_a_killed_run_with_a_compressor_goes_on_as_if_nothing_had_happened(whole, tmp_path, monkeypatch):
    train(RECIPE, tmp_path / "run", until="cells")
    original = run.ExampleTrainer
    with monkeypatch.context() as patched:
        patched.setattr(run, "ExampleTrainer", lambda **parts: original(**parts, callbacks=[Kill()]))
        with pytest.raises(Killed):
            train(RECIPE, tmp_path / "run")
    assert (tmp_path / "run/1-ask/checkpoint-2").exists()
    folder, _ = train(RECIPE, tmp_path / "run")
    resumed, uninterrupted = (load(str(path)).model.state_dict() for path in (folder, whole[1][0]))
    assert resumed.keys() == uninterrupted.keys()
    assert all(torch.equal(value, uninterrupted[name]) for name, value in resumed.items())


def started(plain, **model):
    recipe = dataclasses.replace(RECIPE.model, **model)
    return dataclasses.replace(
        RECIPE,
        model=recipe,
        start=str(plain),
        words=("never",),
        stages=(dataclasses.replace(RECIPE.stages[0], freeze=("stab", "projector"), steps=1),),
    )


def test_a_compressor_starts_new_before_what_is_taken_over(plain, tmp_path):
    words = [word for word in vocabulary() if word != "never"]
    folder, (said, *_) = train(started(plain), tmp_path / "run", words)
    assert said.startswith(f"started from '{plain}': took over language_model (")
    assert "projector (4 tensors), stab (" in said
    assert said.endswith("temporal (20 tensors) and 2 words ('never', ' never') started new")
    before, after = load(str(plain)), load(str(folder))
    old, new = before.model.state_dict(), after.model.state_dict()
    assert all(torch.equal(new[name][: len(value)], value) for name, value in old.items())
    assert {len(new[name]) - len(value) for name, value in old.items()} == {0, 2}
    tokenizers = before.processor.tokenizer, after.processor.tokenizer
    assert [one.decode(one.encode("never left")) for one in tokenizers] == ["<|unknown|> left", "never left"]


def test_positions_that_turn_otherwise_are_said(plain, tmp_path):
    text = RECIPE.model.text | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}
    folder, (said, *_) = train(started(plain, text=text), tmp_path / "run")
    assert said.endswith("started new; rotary positions: rope_theta 10000.0 -> 1000000.0")
    assert load(str(folder)).model.config.text_config.rope_parameters["rope_theta"] == 1e6


def test_a_start_without_some_of_its_weights_is_refused(plain, tmp_path):
    damaged = shutil.copytree(plain, tmp_path / "damaged")
    tensors = load_file(damaged / "model.safetensors")
    lost = next(name for name in tensors if name.startswith("stab."))
    del tensors[lost]
    save_file(tensors, damaged / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=rf"no weights for 1 tensor of model .*'{lost}'"):
        train(started(damaged), tmp_path / "run")


def test_words_keep_their_embeddings_under_other_numbers(plain, tmp_path):
    words = [word for word in vocabulary() if word != "never"][::-1]
    recipe = dataclasses.replace(started(plain), words=())
    folder, _ = train(recipe, tmp_path / "run", [*words, "aaa"])
    one, other = load(str(plain)), load(str(folder))
    for word in ("circle", "[12:", "<|answer|>"):
        rows = [
            panda.model.get_input_embeddings().weight[panda.processor.tokenizer.convert_tokens_to_ids(word)]
            for panda in (one, other)
        ]
        assert torch.equal(*rows), word
    numbers = [panda.processor.tokenizer.convert_tokens_to_ids("circle") for panda in (one, other)]
    assert numbers[0] != numbers[1]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"text": SMALLEST_TEXT | {"hidden_size": 32}},
            r"other parts or sizes: projector.input.weight \[16, 192\]; expected \[32",
        ),
        ({"text": SMALLEST_TEXT | {"num_hidden_layers": 2}}, r"no language_model.model.layers.1"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(plain, tmp_path, model, message):
    with pytest.raises(ConfigError, match=message):
        train(started(plain, **model), tmp_path / "run")


def test_a_start_with_more_parts_is_refused(whole, tmp_path):
    recipe = dataclasses.replace(PLAIN, start=str(whole[1][0]))
    with pytest.raises(ConfigError, match=r"other parts or sizes: it has temporal\."):
        train(recipe, tmp_path / "run")


@pytest.mark.parametrize(
    ("temporal", "message"),
    [
        ({"layer": 1}, r"unknown field 'model.temporal.layer'.*did you mean 'layers'"),
        ({"direction": "casual"}, "direction='casual'.*did you mean 'causal'"),
        ({"head_width": 5}, "width=192, head_width=5"),
        ({"width": 64}, "compressor of width 64 behind a STAB of width 192"),
        ({"grid": 3}, r"model.temporal = \{'grid': 3\}"),
    ],
)
def test_mistakes_in_the_compressor_are_found_before_the_first_step(tmp_path, temporal, message):
    recipe = dataclasses.replace(RECIPE, model=dataclasses.replace(RECIPE.model, temporal=temporal))
    with pytest.raises(ConfigError, match=message):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_examples_that_leave_out_what_the_stage_says_are_refused(tmp_path):
    stage = dataclasses.replace(RECIPE.stages[1], data=dataclasses.replace(ASKED, start_minutes=60.0))
    recipe = dataclasses.replace(RECIPE, stages=(RECIPE.stages[0], stage))
    with pytest.raises(ConfigError, match=r"examples of stage 'ask' with start_minutes = 0.0; expected .* = 60.0"):
        run.train(
            recipe,
            tmp_path / "run",
            examples=lambda stage, number: dataclasses.replace(stage.data, start_minutes=0.0).source(9, number, 96),
        )
