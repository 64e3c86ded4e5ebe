"""What a recipe may train: any size of STAB, a pretrained language model, or a saved model as it is."""

import dataclasses

import pytest
import torch
from tiny import SMALLEST_TEXT, noise, scenery, tiny_stab, tiny_text
from transformers import AutoModelForCausalLM

import longpanda
from longpanda.errors import ConfigError, ModelError
from longpanda.inference.compose import UNTRAINED
from longpanda.longwatch import vocabulary
from longpanda.longwatch.examples import LongWatchData
from longpanda.model.configuration import StabConfig
from longpanda.processing import PLAIN_TEMPLATE
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.train import run
from longpanda.train.recipe import ModelRecipe, Recipe, StageRecipe
from longpanda.train.training_model import PandaForTraining
from longpanda.video import encode

QUESTION = "How many cards were shown?"
QUICK = {"steps": 2, "batch": 1, "learning_rate": 1e-3}
TEMPORAL = {"grid": [2, 2], "layers": 1, "head_width": 8, "state_width": 4, "pool_frames": 2}
ASKED = StageRecipe("ask", data=LongWatchData(frames=(2,), families=("needle", "count")), **QUICK)


def recipe(model=None, stages=(ASKED,), **fields):
    return Recipe("test", stages, model, workers=0, log_steps=1, save_steps=2, **fields)


def train(one, out):
    torch.set_num_threads(1)
    said = []
    return run.train(one, out, report=said.append), said


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    encode(scenery(2), path, 10)
    return path


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """A tiny Qwen2 with random weights, saved with its tokenizer as one from the hub would be."""
    folder, tokenizer = tmp_path_factory.mktemp("backbone"), word_tokenizer(vocabulary())
    torch.manual_seed(0)
    for part in (AutoModelForCausalLM.from_config(tiny_text("qwen2", tokenizer)), tokenizer):
        part.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def composed(backbone, tmp_path_factory):
    """A composed model with a compressor, saved."""
    folder = tmp_path_factory.mktemp("composed") / "model"
    torch.manual_seed(1)
    longpanda.compose(str(backbone), tiny_stab(), temporal=TEMPORAL).save(folder)
    return folder


@pytest.mark.parametrize("temporal", [None, {"grid": [2, 2], "layers": 0, "head_width": 64}])
def test_a_finer_stab_trains_and_answers(temporal, film, tmp_path):
    """8 x 8 cells, or 6 x 8 for this film, where the world's labels are 3 x 3."""
    folder, _ = train(recipe(ModelRecipe("small", SMALLEST_TEXT, {"frames": 2}, temporal=temporal)), tmp_path / "run")
    panda = longpanda.load(folder)
    assert panda.ask(film, QUESTION).visual_tokens == 2 * (1 + 6 * 8 if temporal is None else 4)
    (state,) = (tmp_path / "run").glob("0-ask/checkpoint-2/trainer_state.json")
    assert '"cell_loss"' in state.read_text()
    assert ('"group_loss"' in state.read_text()) == (temporal is not None)


def test_a_pretrained_language_model_goes_on_learning(backbone, film, tmp_path):
    model = ModelRecipe("nano", backbone=str(backbone), sampling={"frames": 3}, notice="a test", single_turn=True)
    folder, _ = train(recipe(model), tmp_path / "run")
    before, panda = AutoModelForCausalLM.from_pretrained(backbone), longpanda.load(folder)
    after, first = panda.model.language_model, "model.layers.0.mlp.up_proj.weight"
    moved = (after.state_dict()[first] - before.state_dict()[first]).abs().max()
    assert 0 < moved < 0.05, "two steps from where it was"
    assert after.dtype == torch.float32
    assert (panda.model.config.single_turn, panda.model.config.notice) == (True, "a test")
    assert "a test" in panda.ask(film, QUESTION).notice


def test_a_frozen_backbone_keeps_its_weights(backbone, tmp_path):
    stage = dataclasses.replace(ASKED, freeze=("language_model",))
    folder, _ = train(recipe(ModelRecipe("nano", backbone=str(backbone)), (stage,)), tmp_path / "run")
    before = AutoModelForCausalLM.from_pretrained(backbone).state_dict()
    after = longpanda.load(folder).model.language_model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_backbone_may_get_a_chat_template(tmp_path):
    tokenizer = word_tokenizer(vocabulary())
    tokenizer.chat_template = None
    for part in (AutoModelForCausalLM.from_config(tiny_text("llama", tokenizer)), tokenizer):
        part.save_pretrained(tmp_path / "lm")
    model = ModelRecipe("nano", backbone=str(tmp_path / "lm"))
    with pytest.raises(ConfigError, match="has no chat template"):
        train(recipe(model), tmp_path / "run")
    folder, _ = train(recipe(dataclasses.replace(model, chat_template=PLAIN_TEMPLATE)), tmp_path / "run")
    assert longpanda.load(folder).processor.chat("where?").endswith("where?\nAssistant:")


def test_a_backbone_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"language model '.*none' cannot be loaded"):
        train(recipe(ModelRecipe("nano", backbone=str(tmp_path / "none"))), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_composed_model_is_trained_as_it_is(composed, film, tmp_path):
    folder, (said, *_) = train(recipe(start=str(composed)), tmp_path / "run")
    assert said.startswith(f"started from '{composed}': took over language_model (")
    assert said.endswith("nothing started new")
    before, after = longpanda.load(composed), longpanda.load(folder)
    assert before.model.config.notice == UNTRAINED
    assert after.model.config.notice == "", "it has been trained"
    for name in ("stab_config", "temporal_config", "sampling"):
        same = [getattr(one.model.config, name) for one in (before, after)]
        assert str(same[0]) == str(same[1])
    assert before.processor.chat("where?") == after.processor.chat("where?")
    old, new = before.model.state_dict(), after.model.state_dict()
    assert old.keys() == new.keys()
    moved = {name.partition(".")[0] for name in old if not torch.equal(old[name], new[name])}
    assert moved == {"stab", "temporal", "projector", "language_model"}
    assert after.ask(film, QUESTION).visual_tokens == 2 * after.model.config.sampling["frames"]


def test_a_model_in_half_precision_is_trained_in_whole(backbone, tmp_path):
    longpanda.compose(str(backbone), tiny_stab(), dtype="bfloat16").save(tmp_path / "half")
    folder, _ = train(recipe(start=str(tmp_path / "half")), tmp_path / "run")
    assert {weight.dtype for weight in longpanda.load(folder).model.parameters()} == {torch.float32}


@pytest.mark.parametrize(("given", "finished"), [(None, 2.5), (0.0, 0.0), (7.0, 7.0)])
def test_times_are_written_as_the_start_or_the_recipe_has_it(given, finished, backbone, tmp_path):
    panda = longpanda.compose(str(backbone), tiny_stab())
    panda.model.config.times_seconds = panda.processor.image_processor.times_seconds = 2.5
    panda.save(tmp_path / "start")
    folder, _ = train(recipe(start=str(tmp_path / "start"), times_seconds=given), tmp_path / "run")
    trained = longpanda.load(folder)
    assert trained.model.config.times_seconds == trained.processor.image_processor.times_seconds == finished


def test_a_start_as_it_is_may_learn_words(tmp_path):
    tokenizer = word_tokenizer(word for word in vocabulary() if word != "never")
    start = run.train(recipe(ModelRecipe("nano", SMALLEST_TEXT)), tmp_path / "start", tokenizer=tokenizer)
    folder, (said, *_) = train(recipe(start=str(start), words=("never",)), tmp_path / "run")
    assert said.endswith("nothing and 2 words ('never', ' never') started new")
    knows = longpanda.load(folder).processor.tokenizer
    assert knows.decode(knows.encode("never left")) == "never left"


def test_words_are_refused_for_a_tokenizer_that_spells_them(composed, tmp_path):
    with pytest.raises(ConfigError, match=r"words for a tokenizer of type BPE; .* leave them out"):
        train(recipe(start=str(composed), words=("never",)), tmp_path / "run")


COARSE = StabConfig(width=32, heads=4, patch_px=12, image_px=48, lste_width=16)


def test_a_stab_coarser_than_the_labels_is_refused_where_they_are_read(backbone, tmp_path):
    longpanda.compose(str(backbone), COARSE).save(tmp_path / "coarse")
    coarse = recipe(start=str(tmp_path / "coarse"))
    message = r"a STAB with 2 x 2 cells for stage 'ask'; expected at least 3 x 3, .* objectives: \[answers\]"
    with pytest.raises(ConfigError, match=message):
        train(coarse, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    answers = dataclasses.replace(ASKED, objectives=tuple(one for one in ASKED.objectives if one.kind == "answers"))
    folder, _ = train(dataclasses.replace(coarse, stages=(answers,)), tmp_path / "run")
    assert longpanda.load(folder).model.config.stab_config.image_px == 48


def test_freezing_a_part_that_the_start_has_not_is_refused(backbone, tmp_path):
    longpanda.compose(str(backbone), tiny_stab()).save(tmp_path / "start")
    frozen = dataclasses.replace(ASKED, freeze=("temporal",))
    with pytest.raises(ConfigError, match=r"freeze = temporal of stage 'ask', for a model without a compressor"):
        train(recipe(start=str(tmp_path / "start"), stages=(frozen,)), tmp_path / "run")


def test_a_stage_that_teaches_nothing_is_refused(tmp_path):
    silent = dataclasses.replace(ASKED, data=LongWatchData(frames=(2,)), objectives=ASKED.objectives[:1])
    model = ModelRecipe("nano", SMALLEST_TEXT)
    with pytest.raises(ConfigError, match=r"objectives answers of stage 'ask', of which none can teach this model"):
        train(recipe(model, (silent,)), tmp_path / "run")
    grouped = dataclasses.replace(ASKED, objectives=ASKED.objectives[2:])
    with pytest.raises(ConfigError, match=r"objectives group_probe of stage 'ask'"):
        train(recipe(model, (grouped,)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_noise_is_a_clip_for_a_composed_model(composed):
    """What is saved answers as what was composed."""
    panda = longpanda.load(composed)
    inputs = panda.processor(panda.processor.chat(QUESTION), [noise(4)])
    with torch.no_grad():
        assert panda.model(**inputs).logits.isfinite().all()


def test_a_start_of_other_sizes_is_refused_before_a_model_is_made(backbone, composed, tmp_path, monkeypatch):
    """Sizes that a recipe does not say are transformers' own, and may be larger than any memory."""
    monkeypatch.setattr(PandaForTraining, "of_recipe", lambda *_: pytest.fail("a model was made"))
    model = ModelRecipe("small", {"model_type": "qwen2"}, {"frames": 2})
    with pytest.raises(ConfigError, match=r"a model of other parts or sizes: .*; expected .* as this recipe's `model`"):
        train(recipe(model, start=str(composed)), tmp_path / "run")


def test_what_is_refused_at_its_first_step_holds_no_folder(tmp_path, monkeypatch):
    """The remedy is another recipe, which would be refused in turn as another run's."""
    model = ModelRecipe("nano", SMALLEST_TEXT, {"frames": 2})

    def refuse(*_: object, **__: object) -> None:
        raise ConfigError("several questions side by side", "one", "ask one")

    with monkeypatch.context() as patched:
        patched.setattr(run.ExampleTrainer, "compute_loss", refuse)
        with pytest.raises(ConfigError, match="several questions"):
            train(recipe(model), tmp_path / "run")
    other = dataclasses.replace(ASKED, data=dataclasses.replace(ASKED.data, questions=1))
    assert train(recipe(model, (other,)), tmp_path / "run")[0] == tmp_path / "run" / "model"
