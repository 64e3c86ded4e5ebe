"""A recipe becomes a model that loads; an interrupted run becomes the same model."""

import dataclasses
import json
import shutil
import subprocess
import sys
import threading

import pytest
import torch
from tiny import SMALLEST_TEXT
from transformers import TrainerCallback, set_seed

import longpanda
from longpanda.errors import ConfigError
from longpanda.inference import load
from longpanda.inference.saving import WORK
from longpanda.longwatch import vocabulary
from longpanda.longwatch.examples import LongWatchData
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.train import run
from longpanda.train.claim import claim, record
from longpanda.train.new_model import random_model
from longpanda.train.recipe import ModelRecipe, Recipe, StageRecipe

TEXT = SMALLEST_TEXT | {"attention_dropout": 0.1}  # so that the state of the random generator matters
QUICK = {"batch": 2, "learning_rate": 1e-3}
FAMILIES = ("needle", "card_count")
RECIPE = Recipe(
    name="test",
    model=ModelRecipe("nano", TEXT, {"frames": 4}, notice="a test"),
    stages=(
        StageRecipe("cells", steps=2, data=LongWatchData(frames=(2,), stills=True), **QUICK),
        StageRecipe("short", steps=4, data=LongWatchData(frames=(1, 3), families=FAMILIES, questions=2), **QUICK),
        StageRecipe(
            "frozen",
            steps=2,
            data=LongWatchData(frames=(2,), families=("state",)),
            freeze=("stab", "projector"),
            **QUICK,
        ),
    ),
    workers=0,
    save_steps=2,
    log_steps=1,
)


def train(recipe, out, until="", **how):
    torch.set_num_threads(1)
    done = []
    folder = run.train(recipe, out, report=done.append, until=until, **how)
    return folder, done


class Killed(Exception):
    """As a power cut: nothing after it runs."""


class Kill(TrainerCallback):
    """Stops a run after a step, before or after its checkpoint is written."""

    def __init__(self, event, step):
        setattr(self, event, lambda _args, state, *_, **__: self.stop(state.global_step == step))

    def stop(self, now):
        if now:
            raise Killed


def train_killed(monkeypatch, out, stage, event, step, recipe=RECIPE):
    """A run that stops in stage `stage`."""
    original = run.ExampleTrainer

    def made(*args, **kwargs):
        made.count += 1
        return original(*args, **kwargs, callbacks=[Kill(event, step)] if made.count == stage + 1 else [])

    made.count = 0
    with monkeypatch.context() as patched:
        patched.setattr(run, "ExampleTrainer", made)
        with pytest.raises(Killed):
            train(recipe, out)


def weights(folder):
    return load(str(folder)).model.state_dict()


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an uninterrupted run, and what it reported."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, train(RECIPE, out)


def test_a_recipe_becomes_a_model_that_answers(whole, tmp_path):
    from tiny import scenery

    from longpanda.video import encode

    out, (folder, done) = whole
    assert folder == out / "model"
    assert done == [
        "stage 1 of 3, 'cells', is done",
        "stage 2 of 3, 'short', is done",
        "stage 3 of 3, 'frozen', is done",
    ]
    encode(scenery(2), tmp_path / "film.mp4", 10)
    panda = load(str(folder))
    assert panda.model.generation_config.eos_token_id == panda.processor.tokenizer.eos_token_id
    assert not any("cell_probe" in name for name in panda.model.state_dict())
    answer = panda.ask(tmp_path / "film.mp4", "How many cards were shown?")
    assert len(answer.pts_seconds) == 4
    cut = "The answer was cut off after 64 tokens, its limit. "
    assert answer.notice.removeprefix(cut) == "a test"


@pytest.mark.parametrize(
    ("stage", "step", "said", "saved"),
    [
        ("short", 3, "stage 2 of 3, 'short', has a checkpoint after step 3 of 4", "1-short/checkpoint-3"),
        ("short", 4, "stage 2 of 3, 'short', is done", "1-short/done.pt"),
    ],
)
def test_a_run_that_is_asked_to_end_writes_a_checkpoint_and_goes_on(stage, step, said, saved, whole, tmp_path):
    stop, told = threading.Event(), []

    def progress(*step_and_losses):
        told.append(step_and_losses)
        if step_and_losses[:2] == (stage, step):
            stop.set()

    folder, done = train(RECIPE, tmp_path / "run", progress=progress, stop=stop)
    assert (folder, done[-1]) == (None, said)
    assert (tmp_path / "run" / saved).exists()
    assert [(name, number, of) for name, number, of, _ in told][:3] == [
        ("cells", 1, 2),
        ("cells", 2, 2),
        ("short", 1, 4),
    ]
    assert told[-1][3]["loss"] > 0
    folder, _ = train(RECIPE, tmp_path / "run", progress=progress, stop=threading.Event())
    assert_same(weights(folder), weights(whole[1][0]))


def test_a_run_that_is_asked_to_end_at_its_last_step_is_finished(whole, tmp_path):
    stop = threading.Event()

    def progress(stage, step, *_):
        if (stage, step) == ("frozen", 2):
            stop.set()

    folder, _ = train(RECIPE, tmp_path / "run", progress=progress, stop=stop)
    assert_same(weights(folder), weights(whole[1][0]))


def test_every_stage_teaches_what_it_should(whole):
    out, _ = whole
    set_seed(RECIPE.seed)
    before = random_model(RECIPE.model, word_tokenizer(vocabulary()))[0].state_dict()
    stages = [torch.load(out / name / "done.pt") for name in ("0-cells", "1-short", "2-frozen")]

    def moved(earlier, later, part):
        return any(not torch.equal(earlier[name], later[name]) for name in later if name.startswith(part))

    assert not moved(before, {k: v for k, v in stages[0].items() if k in before}, "language_model.model.layers")
    assert moved(stages[0], stages[1], "language_model")
    assert moved(stages[0], stages[1], "stab")
    assert moved(stages[1], stages[2], "language_model")
    assert not moved(stages[1], stages[2], "stab")
    assert not moved(stages[1], stages[2], "projector")


def test_a_run_says_what_made_it(whole):
    out, _ = whole
    assert json.loads((out / "recipe.json").read_text())["stages"][1]["data"]["families"] == ["needle", "card_count"]
    (start,) = json.loads((out / "run.json").read_text())
    assert start["longpanda"] == longpanda.__version__
    assert start["torch"] == torch.__version__
    assert set(start) == {"longpanda", "torch", "transformers", "commit", "processes"}
    for name in ("recipe.json", "run.json"):
        assert (out / "model" / name).read_text() == (out / name).read_text()


@pytest.mark.parametrize(
    ("stage", "event", "step"), [(1, "on_step_end", 3), (1, "on_save", 2), (2, "on_step_begin", 0)]
)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(whole, tmp_path, monkeypatch, stage, event, step):
    train_killed(monkeypatch, tmp_path / "run", stage, event, step)
    assert not (tmp_path / "run/model").exists()
    folder, done = train(RECIPE, tmp_path / "run")
    assert len(done) == 3
    assert_same(weights(folder), weights(whole[1][0]))
    assert len(json.loads((tmp_path / "run/run.json").read_text())) == 2


def test_a_killed_run_of_a_mixture_of_experts_goes_on_to_the_bit(tmp_path, monkeypatch):
    """Their weights have other names in their makers' files, which a Trainer would not find again."""
    text = TEXT | {"model_type": "mixtral", "num_local_experts": 2}
    model = dataclasses.replace(RECIPE.model, text=text)
    recipe = dataclasses.replace(RECIPE, model=model, stages=RECIPE.stages[1:2])
    train_killed(monkeypatch, tmp_path / "cut", 0, "on_step_end", 3, recipe)
    runs = [train(recipe, tmp_path / name)[0] for name in ("cut", "whole")]
    assert_same(*map(weights, runs))


def test_a_half_written_checkpoint_is_ignored(whole, tmp_path, monkeypatch):
    train_killed(monkeypatch, tmp_path / "run", 1, "on_save", 4)
    stage = tmp_path / "run/1-short"
    assert {path.name for path in stage.glob("checkpoint-*")} == {"checkpoint-2", "checkpoint-4"}
    (stage / "checkpoint-4/trainer_state.json").unlink()
    (stage / "checkpoint-4/model.safetensors").write_bytes(b"half")
    (stage / "checkpoint-6").mkdir()
    (stage / "checkpoint-6/trainer_state.json").write_text('{"epoch": 1')
    folder, _ = train(RECIPE, tmp_path / "run")
    assert_same(weights(folder), weights(whole[1][0]))


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), cut, lambda path: path.write_bytes(b"")])
def test_a_checkpoint_without_its_random_state_is_ignored(whole, tmp_path, monkeypatch, spoil):
    train_killed(monkeypatch, tmp_path / "run", 1, "on_save", 2)
    spoil(tmp_path / "run/1-short/checkpoint-2/rng_state.pth")
    folder, _ = train(RECIPE, tmp_path / "run")
    assert_same(weights(folder), weights(whole[1][0]))


def test_a_damaged_end_of_a_stage_is_said(whole, tmp_path):
    out = shutil.copytree(whole[0], tmp_path / "run")
    shutil.rmtree(out / "model")
    cut(out / "1-short/done.pt")
    with pytest.raises(ConfigError, match=r"1-short/done.pt', the end of a stage, cannot be read .*remove it"):
        train(RECIPE, out)


def test_a_trained_model_generates_with_its_cache(whole):
    model = load(str(whole[1][0])).model
    assert model.generation_config.use_cache
    assert getattr(model.config, "use_cache", True)


def test_a_run_stops_after_a_stage_and_goes_on(whole, tmp_path):
    out = tmp_path / "run"
    stopped, done = train(RECIPE, out, until="short")
    assert stopped is None
    assert len(done) == 2
    assert not (out / "model").exists()
    folder, _ = train(RECIPE, out)
    assert_same(weights(folder), weights(whole[1][0]))
    with pytest.raises(ConfigError, match=r"no stage 'shrt'.*did you mean 'short'"):
        train(RECIPE, tmp_path / "other", until="shrt")


def test_a_model_can_be_had_as_a_stage_left_it(whole):
    out, (folder, _) = whole
    last, processor = run.model_after(RECIPE.stages[-1].name, RECIPE, out)
    assert_same(last.state_dict(), load(str(folder)).model.state_dict())
    assert not last.training
    assert processor.tokenizer.get_vocab() == load(str(folder)).processor.tokenizer.get_vocab()
    earlier, _ = run.model_after("cells", RECIPE, out)
    assert not torch.equal(earlier.stab.patch.weight, last.stab.patch.weight)
    with pytest.raises(ConfigError, match=r"no stage 'cels'.*did you mean 'cells'"):
        run.model_after("cels", RECIPE, out)
    with pytest.raises(ConfigError, match="holds a run of another recipe: its seed is"):
        run.model_after("cells", dataclasses.replace(RECIPE, seed=1), out)


def test_of_a_stage_that_is_not_done_or_is_damaged_there_is_no_model(tmp_path):
    train(RECIPE, tmp_path, until="cells")
    with pytest.raises(ConfigError, match=r"stage 'short' in '.*', which is not done"):
        run.model_after("short", RECIPE, tmp_path)
    (tmp_path / "0-cells/done.pt").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"done\.pt', the end of a stage, cannot be read"):
        run.model_after("cells", RECIPE, tmp_path)


def test_a_run_with_only_half_a_checkpoint_starts_its_stage_again(whole, tmp_path, monkeypatch):
    train_killed(monkeypatch, tmp_path / "run", 0, "on_save", 2)
    shutil.rmtree(tmp_path / "run/0-cells/checkpoint-2")
    (tmp_path / "run/0-cells/checkpoint-2").mkdir()
    folder, _ = train(RECIPE, tmp_path / "run")
    assert_same(weights(folder), weights(whole[1][0]))


def test_finished_stages_are_not_trained_again(whole, tmp_path, monkeypatch):
    out = shutil.copytree(whole[0], tmp_path / "run")
    shutil.rmtree(out / "model")
    monkeypatch.setattr(run, "ExampleTrainer", lambda **_: pytest.fail("a finished stage was trained"))
    folder, done = train(RECIPE, out)
    assert len(done) == 3
    assert_same(weights(folder), weights(whole[1][0]))


def test_a_finished_run_stays_as_it_is(whole, tmp_path, monkeypatch):
    out = shutil.copytree(whole[0], tmp_path / "run")
    monkeypatch.setattr(run, "_save", lambda *_: pytest.fail("a finished model was written again"))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != "lock"}
    folder, done = train(RECIPE, out)
    assert folder == out / "model"
    assert done == ["every stage was done before, and the model is there"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != "lock"} == before


def test_a_model_gives_way_to_the_next_in_one_step(whole, tmp_path):
    out = shutil.copytree(whole[0], tmp_path / "run")
    (out / "model/run.json").unlink()  # as a model of an older version
    (out / "model/leftover").write_text("")
    (out / "model.old").mkdir()  # as left by a run that was killed here
    (out / "model.old/config.json").write_text("")
    (out / f"{WORK}model.abc/new").mkdir(parents=True)
    folder, _ = train(RECIPE, out)
    assert_same(weights(folder), weights(whole[1][0]))
    assert not (folder / "leftover").exists()
    assert not [*out.glob("model.*"), *out.glob(f"{WORK}*")]


def changed(**values):
    return dataclasses.replace(RECIPE, **values)


@pytest.mark.parametrize(
    ("recipe", "difference"),
    [
        (changed(seed=5), "its seed is 0, not 5"),
        (changed(stages=RECIPE.stages[:2]), "its stages is"),
        (
            changed(stages=(dataclasses.replace(RECIPE.stages[0], steps=9), *RECIPE.stages[1:])),
            "its stages.0.steps is 2, not 9",
        ),
        (
            changed(model=dataclasses.replace(RECIPE.model, text={**TEXT, "rms_norm_eps": 1e-5})),
            "its model.text.rms_norm_eps is None, not 1e-05",
        ),
    ],
)
def test_another_recipe_in_the_same_folder_is_refused(whole, tmp_path, recipe, difference):
    out = tmp_path / "run"
    out.mkdir()
    shutil.copy(whole[0] / "recipe.json", out)
    with pytest.raises(ConfigError, match=f"holds a run of another recipe: {difference}.*; use another --out, or del"):
        train(recipe, out)
    assert sorted(path.name for path in out.iterdir()) == ["lock", "recipe.json"]


def test_a_stage_goes_on_with_as_many_processes_as_it_began_with(whole, tmp_path):
    out = shutil.copytree(whole[0], tmp_path / "run")
    with claim(out, RECIPE, 2):  # every stage is done
        pass
    (out / "1-short/done.pt").unlink()
    with (
        pytest.raises(ConfigError, match=r"2 processes for '.*1-short', .* begun with 1; expected --nproc-per-node 1"),
        claim(out, RECIPE, 2),
    ):
        pass
    with claim(out, RECIPE, 1):
        pass
    for left in (out / "1-short").glob("checkpoint-*"):
        shutil.rmtree(left)
    with claim(out, RECIPE, 2):  # nothing of the stage is there
        record(out, RECIPE, 2)
    assert [start.get("processes") for start in _json(out)] == [1, 2]


@pytest.mark.parametrize(("name", "text"), [("recipe.json", "{bad"), ("recipe.json", "{}"), ("run.json", "{bad")])
def test_a_damaged_note_of_the_run_is_named(whole, tmp_path, name, text):
    out = shutil.copytree(whole[0], tmp_path / "run")
    (out / name).write_text(text)
    shutil.rmtree(out / "model")
    with pytest.raises(ConfigError, match=f"{name}' is damaged"):
        train(RECIPE, out)


def _json(out):
    return json.loads((out / "run.json").read_text())


HOLD = """
import sys
from pathlib import Path
from longpanda.train.claim import claim
from longpanda.train.recipe import load_recipe
with claim(Path(sys.argv[1]), load_recipe("nano"), 1):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_in_which_a_process_trains_is_refused_until_that_is_dead(tmp_path):
    command, out = [sys.executable, "-c", HOLD, str(tmp_path / "run")], tmp_path / "run"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=r"another process is writing to .*; expected one at a time; wait until"):
            train(RECIPE, out)
        assert [path.name for path in out.iterdir()] == ["lock"]
        holder.kill()
    with claim(out, RECIPE, 1):
        pass


def test_several_gpus_want_several_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(run.TrainingArguments, "n_gpu", property(lambda _: 2))
    with pytest.raises(ConfigError, match=r"2 GPUs and one process; .*torchrun --nproc-per-node 2 .*CUDA_VISIBLE_DEV"):
        train(RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_how_it_runs_may_change(whole, tmp_path, monkeypatch):
    out = shutil.copytree(whole[0], tmp_path / "run")
    shutil.rmtree(out / "model")
    monkeypatch.setattr(run, "ExampleTrainer", lambda **_: pytest.fail("a finished stage was trained"))
    train(changed(workers=2, save_steps=7, log_steps=9), out)
    assert json.loads((out / "recipe.json").read_text())["save_steps"] == 7


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot hold a run"):
        train(RECIPE, tmp_path / "file")


LINEAR = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}


def with_model(**values):
    return changed(model=dataclasses.replace(RECIPE.model, **values))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (with_model(stab_size="nanno"), "STAB size 'nanno'.*did you mean 'nano'"),
        (with_model(text={**TEXT, "model_type": "qwen_2"}), "model.text.model_type = 'qwen_2'.*did you mean 'qwen2'"),
        (with_model(text={"hidden_size": 3}), "model.text.model_type = None"),
        (with_model(text={**TEXT, "hidden_sise": 3}), "unknown field 'model.text.hidden_sise'.*mean 'hidden_size'"),
        (with_model(text={**TEXT, "vocab_size": 3}), "unknown field 'model.text.vocab_size'.*tokenizer does not set"),
        (with_model(text={**TEXT, "hidden_size": "abc"}), "model.text = .* that fit a qwen2"),
        (with_model(text={**TEXT, "num_attention_heads": 0}), "model.text = .* fit a qwen2"),
        (
            dataclasses.replace(with_model(text={**TEXT, "rope_parameters": LINEAR}), attention_scale=2.0),
            "attention_scale=2 of a 'qwen2' with positions .*'linear'.*expected plain rotary",
        ),
        (with_model(sampling={"frame": 3}), "unknown field 'model.sampling.frame'.*did you mean 'frames'"),
        (with_model(sampling={"frames": 0}), "frames=0"),
    ],
)
def test_mistakes_are_found_before_the_first_step(tmp_path, recipe, message):
    with pytest.raises(ConfigError, match=message):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None if name == "accelerate" else name)
    with pytest.raises(
        ConfigError, match=r"no package accelerate; .*; pip install accelerate tensorboard, or make install"
    ):
        train(RECIPE, tmp_path / "run")


def test_a_tokenizer_without_the_placeholder_gets_room_for_it():
    from tiny import FAMOUS, byte_tokenizer

    tokenizer = byte_tokenizer(*FAMOUS["qwen2"][:2])
    model, processor = random_model(RECIPE.model, tokenizer)
    assert model.get_input_embeddings().num_embeddings == len(tokenizer) == processor.video_token_id + 1


def test_a_run_may_start_from_a_saved_model(whole, tmp_path):
    """With rates of nearly nothing, what comes out is what went in."""
    last = dataclasses.replace(RECIPE.stages[1], learning_rate=1e-12)
    recipe = dataclasses.replace(RECIPE, start=str(whole[1][0]), stages=(last,), weight_decay=0.0)
    folder, _ = train(recipe, tmp_path / "further")
    before, after = (load(str(path)).model.state_dict() for path in (whole[1][0], folder))
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], atol=1e-8) for name in before)


def test_a_saved_model_looks_as_hard_as_its_recipe_says(whole, tmp_path):
    recipe = dataclasses.replace(RECIPE, start=str(whole[1][0]), stages=RECIPE.stages[1:2], attention_scale=4.0)
    plain, sharp = (load(str(folder)).model for folder in (whole[1][0], train(recipe, tmp_path / "further")[0]))
    assert plain.language_model.model.rotary_emb.attention_scaling == 1.0
    assert sharp.language_model.model.rotary_emb.attention_scaling == 2.0


def test_a_start_of_another_size_is_refused(whole, tmp_path):
    model = ModelRecipe("nano", TEXT | {"hidden_size": 32}, {"frames": 4})
    recipe = dataclasses.replace(RECIPE, start=str(whole[1][0]), model=model)
    with pytest.raises(ConfigError, match="a model of other parts or sizes"):
        train(recipe, tmp_path / "further")
