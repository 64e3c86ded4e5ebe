"""Benchmarks of length with models of a few thousand weights: they resume, never ask twice, and show their results."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from tiny import tiny

from benchmarks import ablation, ablation_rows, ablation_tables, finished, long_nano, rendered, score_tables
from longpanda.errors import ConfigError
from longpanda.evaluate import read_records
from longpanda.index.file_encoder import LEAST_BLOCK_FRAMES
from longpanda.inference import LongPanda
from longpanda.inference.prefix import PrefixCache
from longpanda.longwatch import Split, render, scene_seed, vocabulary
from longpanda.longwatch.examples import LongWatchData
from longpanda.longwatch.make import make
from longpanda.longwatch.suite import SuitePlan
from longpanda.model.tokens import FrameBatch
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.train.claim import difference
from longpanda.train.new_model import random_model
from longpanda.train.recipe import ModelRecipe, Recipe, StageRecipe, load_recipe, recipe_of
from longpanda.train.run import train
from longpanda.types import Facts, Reply, Sample, Score, VideoClip
from longpanda.video import Sampling

TEMPORAL = {"grid": [2, 2], "layers": 1, "head_width": 16, "state_width": 4}
ABOUT = {"machine": {"cpus": 2, "processor": "some", "memory_bytes": 2**34, "torch": "2"}, "command": "python -m some"}


@pytest.fixture(autouse=True)
def short_answers(monkeypatch):
    """Limit the answers, since untrained models do not stop."""
    real = PrefixCache.generate
    monkeypatch.setattr(PrefixCache, "generate", lambda *a, **k: real(*a, **k | {"max_new_tokens": 2}))


@pytest.fixture(scope="module")
def panda():
    return LongPanda("tiny", *tiny(temporal_config=TEMPORAL, times_seconds=4.0))


def check_read_at_once(panda, scene, session):
    """Check that the tokens equal those of all frames at once."""
    seconds = session.watched.tokens.frames_seconds
    clip = VideoClip(render(scene, seconds, 48), seconds, scene.duration_seconds)
    with torch.inference_mode():
        (tokens,) = panda.model.visual.clips(FrameBatch(**panda.processor.image_processor.preprocess([clip])))
        expected = panda.model.temporal.whole(tokens).values.flatten(0, 1)
    torch.testing.assert_close(session.watched.tokens.values, expected)


def test_a_drawn_scene_is_read_in_blocks_as_a_whole(panda, monkeypatch):
    monkeypatch.setitem(panda.model.config.sampling, "max_frames", 8)  # what a model asks for by itself is no limit
    scene, frames = rendered.film(scene_seed(Split.DEV, 0), 70, 1.0)
    session = rendered.watch(panda, scene, rendered.middles(frames, scene.duration_seconds))
    assert session.plan.groups == 70 > LEAST_BLOCK_FRAMES
    assert session.watched.tokens.values.shape == (70 * 4, 32)
    check_read_at_once(panda, scene, session)


@pytest.mark.parametrize("temporal", [None, TEMPORAL | {"direction": "bidirectional", "pool_frames": 4}])
def test_models_that_are_not_causal_read_drawn_scenes_too(temporal):
    panda = LongPanda("tiny", *tiny(temporal_config=temporal))
    scene, frames = rendered.film(scene_seed(Split.DEV, 0), 66, 1.0)
    session = rendered.watch(panda, scene, rendered.middles(frames, scene.duration_seconds))
    assert len(session.watched.tokens) == (66 if temporal is None else 17)
    if temporal is not None:
        check_read_at_once(panda, scene, session)


def test_needles_are_asked_once_at_each_depth(panda, tmp_path, monkeypatch):
    scores = long_nano.on_needles(panda, 60, 2, tmp_path)
    assert len(scores) == 10
    row = long_nano.needle_row(60, scores)
    assert row["tokens_per_frame"] == 4.0
    assert row["all"]["questions"] == 10
    assert row["all"]["videos"] == 2
    assert set(row["depths"]) <= {"0", "0.2", "0.4", "0.6", "0.8"}
    monkeypatch.setattr(rendered, "watch", lambda *_: pytest.fail("it was asked already"))
    assert long_nano.on_needles(panda, 60, 2, tmp_path) == scores
    other = LongPanda("tiny", *tiny(temporal_config=TEMPORAL | {"grid": [1, 1]}))
    with pytest.raises(ConfigError, match="language was"):
        long_nano.on_needles(other, 60, 2, tmp_path)


def test_ten_thousand_frames_fit_into_written_times():
    """Later minutes than those of the word tokenizer would be unknown words."""
    tokenizer = word_tokenizer(vocabulary())
    scene, frames = rendered.film(scene_seed(Split.TEST, 0), 10_000, 60 * long_nano.NEEDLE_MINUTES / 10_000)
    last = rendered.middles(frames, scene.duration_seconds)[-1]
    assert tokenizer.unk_token_id not in tokenizer.encode(f"[{int(last) // 60}:{int(last) % 60:02d}]")
    shown = [card.end_seconds - card.start_seconds for card in scene.cards]
    assert min(shown) > 1.999 * scene.duration_seconds / 10_000, "two frames of everything, to the millisecond"


def test_a_suite_is_asked_through_indexes(panda, tmp_path, monkeypatch):
    plan = SuitePlan(minutes=(3.0, 4.0), families=("count", "rate"), per_cell=2, size_px=96, fps=0.5)
    list(make(plan, tmp_path / "suite"))
    scores = long_nano.on_suite(panda, tmp_path / "suite", tmp_path, 0.1)
    assert [score.sample.family for score in scores] == ["count"] * 4, "rate was not taught"
    assert not any(score.error for score in scores)
    names = sorted(path.name for path in (tmp_path / "indexes/suite").iterdir())
    assert names == sorted({f"{score.sample.video}.vidx" for score in scores})
    (row,) = long_nano.suite_rows(scores)
    assert (row["family"], [one["minutes"] for one in row["lengths"]]) == ("count", [3.0, 4.0])
    assert [len(score.reply.frames_seconds) for score in scores] == [18, 18, 24, 24]
    monkeypatch.setattr(LongPanda, "watch", lambda *_: pytest.fail("it was asked already"))
    assert long_nano.on_suite(panda, tmp_path / "suite", tmp_path, 0.1) == scores
    with pytest.raises(ConfigError, match="fps was"):
        long_nano.on_suite(panda, tmp_path / "suite", tmp_path, 0.2)


TEXT = {"model_type": "qwen2", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
TEXT |= {"num_attention_heads": 2, "num_key_value_heads": 2}
QUICK = {"batch": 1, "learning_rate": 1e-3}
EXAM = ablation.Exam((24, 30), clips=1)
"""Its questions are drawn once: with `command`'s families."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A recipe of two steps, and a model without a compressor to start from."""
    stage = StageRecipe("read", steps=1, data=LongWatchData(frames=(1,), stills=True), **QUICK)
    recipe = Recipe("base", (stage,), ModelRecipe("nano", TEXT), workers=0, log_steps=1, save_steps=1)
    out = tmp_path_factory.mktemp("base")
    folder = train(recipe, out)
    shown = LongWatchData(frames=(24,), scenes="gallery", families=("needle",))
    last = StageRecipe("ask", steps=1, data=shown, freeze=("stab",), **QUICK)
    model = dataclasses.replace(recipe.model, temporal={"head_width": 96, "state_width": 4})
    return dataclasses.replace(recipe, start=str(folder), model=model, stages=(stage, last))


def test_every_trial_of_the_ablation_makes_its_model(base):
    planned = ablation.trials(list(ablation.MIXING), list(ablation.TOKENS), [0, 1, 2])
    assert len({trial.name for trial in planned}) == len(planned) == 45
    assert ablation.Trial("learned", "10", 0) not in planned
    assert [trial.seed for trial in planned if trial.mixing != "learned"] == [0] * 12 + [1] * 12 + [2] * 12
    assert [trial.seed for trial in planned[-6:] if trial.mixing == "learned"] == [1, 1, 1, 2, 2, 2]
    counts = {}
    for trial in planned[:15]:
        fields = trial.recipe(base).model.temporal
        model, processor = ablation_model(trial.recipe(base))
        frames = processor.image_processor
        counts[trial.mixing, trial.tokens] = sum(weight.numel() for weight in model.temporal.parameters())
        assert frames.tokens_per_group(96, 96) / frames.frames_per_group == ablation_tables.number(trial.tokens)
        assert fields["head_width"] == 96
    for tokens in ablation.TOKENS:
        assert counts["causal", tokens] == counts["bidirectional", tokens], "as many weights"
        assert counts["mean", tokens] == 0


def ablation_model(recipe):
    return random_model(recipe.model, word_tokenizer(vocabulary()))


def test_seeds_see_other_scenes_and_trials_of_a_seed_the_same(base):
    one, same, other = (ablation.Trial(*parts) for parts in (("mean", "4", 0), ("causal", "1", 0), ("mean", "4", 1)))
    stages = [(stage, number) for number, stage in enumerate(base.stages)]
    firsts = [[trial.examples(base, *pair).first_index for pair in stages] for trial in (one, same, other)]
    assert firsts[0] == firsts[1]
    assert not set(firsts[0]) & set(firsts[2])


@pytest.fixture
def command(base, tmp_path, monkeypatch):
    """The command of an ablation of two small runs."""
    monkeypatch.setattr(ablation, "load_recipe", lambda *_: base)
    monkeypatch.setattr(ablation, "FAMILIES", ("needle",))
    words = ["--tokens", "1/4", "--mixing", "mean", "causal", "--seeds", "0", "--lengths", "24", "30", "--clips", "1"]
    out = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "ablation.json")]
    monkeypatch.setattr(sys, "argv", ["ablation", *words, *out])
    return tmp_path


def study_of(command, base):
    return ablation.Study(base, EXAM, command / "work", command / "ablation")


def test_the_ablation_goes_on_where_it_was_stopped(command, base, monkeypatch):
    asking = ablation.asked

    def stopped(answerer, samples, path, configuration):
        asking(answerer, samples[:3], path, configuration)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ablation, "asked", stopped)
        with pytest.raises(KeyboardInterrupt):
            ablation.main()
    first, second = (ablation.Trial(mixing, "1/4", 0) for mixing in ("mean", "causal"))
    path = command / "work" / first.name / "few.jsonl"
    assert len(read_records(path)[1]) == 3
    study = study_of(command, base)
    assert study.finished(first) is None
    with path.open("a") as file:
        file.write('{"value": 0.0, "rep')  # as a power cut leaves it
    ablation.main()
    result = json.loads((command / "ablation.json").read_text())
    assert result["runs"] == 2
    assert [(row["mixing"], row["family"], row["shows"]) for row in result["rows"]] == [
        (mixing, "needle", shows) for mixing in ("mean", "causal") for shows in (ablation.FEW, ablation.SCRIPT)
    ]
    pair = [study_of(command, base).finished(ablation.Trial(mixing, "1/4", 0)).scores for mixing in ("mean", "causal")]
    gained = [b.value - a.value for a, b in zip(*pair, strict=True) if a.sample.facts.condition == ablation.SCRIPT]
    (over,) = [one for one in result["differences"] if one["shows"] == ablation.SCRIPT]
    assert (over["first"], over["second"], over["questions"]) == ("mean", "causal", len(gained))
    assert over["difference"] == over["each"]["0"] == pytest.approx(sum(gained) / len(gained))
    files = [study.work / second.name / name for name in ("few.jsonl", "scripts.jsonl")]
    answers = [one for path in files for one in read_records(path)[1]]
    said = {(one.sample.video, one.sample.question): one.value for one in answers}
    kept = study.finished(second).scores
    assert [one.sample for one in kept] == EXAM.samples
    assert [one.value for one in kept] == [said[one.sample.video, one.sample.question] for one in kept]
    table = ablation_tables.ablation(result)
    assert all(0 <= row["named"]["0"] <= 1 for row in result["rows"])
    assert "2 of 2 runs, each trained on at most 24 frames" in table
    assert "| seeds | few events: needle | script: needle | named |" in table
    assert result["asked_with_commits"] == [study.finished(first).asked_on["commit"]]
    assert all(len(study.finished(trial).trained_with_commits) == 1 for trial in (first, second))
    monkeypatch.setattr(ablation, "train", lambda *_, **__: pytest.fail("a run was done again"))
    (command / "ablation.json").unlink()
    shutil.rmtree(command / "work")  # another machine has what was kept, and not what was trained
    ablation.main()
    assert json.loads((command / "ablation.json").read_text())["rows"] == result["rows"]


def test_scenes_with_few_events_are_answered_by_the_model_before_its_last_stage(command, base, monkeypatch):
    trial, heads = ablation.Trial("mean", "1/4", 0), {}

    def asked(answerer, samples, *_):
        heads[samples[0].facts.condition] = answerer.panda.model.get_output_embeddings().weight.detach().clone()
        return [Score(0.0, Reply(""), sample) for sample in samples]

    monkeypatch.setattr(ablation, "asked", asked)
    study_of(command, base).conduct(trial)
    for shows, stage in ((ablation.FEW, "0-read"), (ablation.SCRIPT, "1-ask")):
        weights = torch.load(command / "work" / trial.name / "train" / stage / "done.pt", weights_only=True)
        (name,) = [name for name in weights if name.endswith("lm_head.weight")]
        torch.testing.assert_close(heads[shows], weights[name], rtol=0, atol=0)
    assert not torch.equal(heads[ablation.FEW], heads[ablation.SCRIPT])


@pytest.fixture
def kept(base, tmp_path):
    """A kept run, and its study."""
    study, trial = ablation.Study(base, EXAM, tmp_path, tmp_path), ablation.Trial("mean", "4", 0)
    scores = [Score(float(i % 2), Reply(""), sample) for i, sample in enumerate(EXAM.samples)]
    scores[2] = dataclasses.replace(scores[2], error="no frames")
    done = finished.Finished(scores[::-1], 0.5, ["abc"], {"processor": "some", "commit": "def"})
    finished.keep(tmp_path / "mean-4-0.json", study.configuration(trial), EXAM.samples, done)
    return study, trial, tmp_path / "mean-4-0.json"


def test_the_runs_that_are_kept_are_those_of_the_shipped_recipe():
    study = ablation.Study(load_recipe(ablation.RECIPE), ablation.Exam(), Path("none"), ablation.RESULT.with_suffix(""))
    paths = sorted(study.kept.glob("*.json"))
    for path in paths:
        there = json.loads(path.read_text())["configuration"]
        there["recipe"] = dataclasses.asdict(recipe_of(there["recipe"]))
        wanted = study.configuration(ablation.Trial(**there["trial"]))
        assert difference(json.loads(json.dumps(there)), json.loads(json.dumps(wanted))) is None, path.name
    assert len(paths) > 40


def test_a_kept_run_is_read_as_it_was(kept):
    study, trial, _ = kept
    found = study.finished(trial)
    values = [(one.value, bool(one.error)) for one in found.scores]
    assert values == [(float(i % 2 and i != 2), i == 2) for i in range(len(EXAM.samples))]
    assert (found.named, found.trained_with_commits, found.asked_on["commit"]) == (0.5, ["abc"], "def")


@pytest.mark.parametrize("other", ["recipe", "exam", "asked_after", "start", "trial"])
def test_a_run_of_another_recipe_exam_or_start_is_not_taken_for_this(kept, other, monkeypatch):
    study, trial, path = kept
    if other == "recipe":
        study = dataclasses.replace(study, base=dataclasses.replace(study.base, words=("some",)))
    elif other == "exam":
        study = dataclasses.replace(study, exam=dataclasses.replace(EXAM, few_frames=30))
    elif other == "asked_after":
        monkeypatch.setattr(ablation.Study, "asked_after", {ablation.FEW: "ask", ablation.SCRIPT: "ask"})
    elif other == "start":
        study.__dict__["start"] = {"model.safetensors": "other"}
    else:
        path = path.rename(path.with_name("mean-4-1.json"))
        trial = dataclasses.replace(trial, seed=1)
    with pytest.raises(ConfigError, match=rf"{path.name}', a run of another configuration: its .*{other}"):
        study.finished(trial)


def test_fields_that_recipes_have_since_do_not_make_a_run_another(kept):
    study, trial, path = kept
    stored = json.loads(path.read_text())
    assert stored["configuration"]["recipe"]["stages"][0]["data"].pop("still_cards")
    path.write_text(json.dumps(stored))
    assert study.finished(trial) is not None


@pytest.mark.parametrize("damage", ["{", "{}", "[1]", '"marks": "0'])
def test_a_damaged_run_is_refused(kept, damage):
    study, trial, path = kept
    whole = path.read_text()
    path.write_text(whole.replace('"marks": "01', damage) if damage.startswith('"') else damage)
    with pytest.raises(ConfigError, match=r"mean-4-0\.json', which holds no run"):
        study.finished(trial)


def test_other_questions_are_other_questions(kept):
    study, trial, path = kept
    with pytest.raises(ConfigError, match="with answers to other questions"):
        finished.finished_run(path, study.configuration(trial), EXAM.samples[::-1])


def test_a_recipe_needs_a_stage_to_ask_after(base, monkeypatch):
    monkeypatch.setattr(ablation, "load_recipe", lambda *_: dataclasses.replace(base, stages=base.stages[:1]))
    monkeypatch.setattr(sys, "argv", ["ablation"])
    with pytest.raises(ConfigError, match="recipe 'base' with one stage"):
        ablation.main()


def about_films(*right):
    """Return a run with these answers to two questions about each of two films."""
    asked = [
        Sample(f"{film}?{n}", "7", "needle", film, (), Facts(chance=0, condition="script", frames=24, cluster=film))
        for film in "ab"
        for n in range(2)
    ]
    scores = [Score(value, Reply(""), sample) for value, sample in zip(right, asked, strict=True)]
    return finished.Finished(scores, None, [], {})


def test_compressors_are_paired_seed_by_seed():
    first = {0: about_films(0.0, 0.0, 0.0, 0.0), 1: about_films(1.0, 1.0, 0.0, 0.0)}
    second = {seed: about_films(1.0, 1.0, 0.0, 0.0) for seed in (1, 2)} | {0: about_films(1.0, 1.0, 1.0, 0.0)}
    (found,) = ablation_rows.differences({("mean", "4"): first, ("causal", "4"): second}, ["needle"])
    assert found["seeds"] == [0, 1], "those of both"
    assert found["each"] == {"0": 0.75, "1": 0.0}
    assert (found["difference"], found["gained"], found["lost"]) == (0.375, 3, 0)
    assert (found["questions"], found["videos"]) == (8, 2), "a film is one cluster, whatever the seed"
    assert found["interval"] == (0.25, 0.5), "of a film's two questions, with both seeds: 2 of 4 gained, or 1"
    (row,) = ablation_rows.rows({("mean", "4"): first}, ["needle"])
    assert (row["value"], row["each"], row["seeds"]) == (0.25, {"0": 0.0, "1": 0.5}, [0, 1])
    assert (row["questions"], row["videos"], row["frames"]["24"]["value"]) == (8, 2, 0.25)


def points(**values):
    return ablation_tables._points({"difference": 0.1, "interval": [0.05, 0.15], "gained": 2, "lost": 1} | values)


def test_a_difference_is_bold_where_films_and_several_seeds_agree():
    assert points(each={"0": 0.05, "1": 0.15}) == "**+10.0 [5.0, 15.0]** (+5 to +15)"
    assert points(each={"0": -0.05, "1": 0.25}) == "+10.0 [5.0, 15.0] (-5 to +25)"
    assert points(each={"0": 0.1}) == "+10.0 [5.0, 15.0]", "one seed is never enough"
    assert points(each={"0": 0.1, "1": 0.1}, interval=[-0.05, 0.15]) == "+10.0 [-5.0, 15.0] (+10 to +10)"
    assert points(each={"0": 0.0}, gained=0, lost=0) == "no difference"


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        (ablation, ["--seeds", "0"], "--seeds would overwrite"),
        (ablation, ["--share", "3/2"], "argument --share: invalid share value: '3/2'"),
        (long_nano, ["--only", "needle", "--model", "other"], "--model other would overwrite"),
        (long_nano, [], "no --suites"),
    ],
)
def test_mistakes_are_named_before_the_work(module, words, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["some", *words])
    with pytest.raises(SystemExit):
        module.main()
    assert message in capsys.readouterr().err


def score(value, family="needle", cluster="a", **about):
    sample = Sample("?", "7", family, cluster, ((1.0, 2.0),), Facts(chance=0.1, cluster=cluster, **about))
    return Score(value, Reply("7", visual_tokens=400), sample)


def test_tables_show_what_was_measured():
    scores = [score(1.0, minutes=m, cluster=str(i), depth=0.1) for m in (3.0, 10.0) for i in range(40)]
    scores += [score(0.0, minutes=30.0, cluster=str(i), depth=0.9) for i in range(40)]
    suite = score_tables.long_nano_suite({**ABOUT, "model": "x", "fps": 1 / 7.5, "rows": long_nano.suite_rows(scores)})
    assert "| needle | 100% [91%, 100%] | 100% [91%, 100%] | 0% [0%, 9%] | 10% | 10 |" in suite
    assert "one frame every 7.5 s" in suite
    needles = [long_nano.needle_row(100, [one for one in scores if one.sample.minutes != 10.0])]
    table = score_tables.long_nano_needle({**ABOUT, "model": "x", "minutes": 120.0, "rows": needles})
    assert "| frames | tokens per frame | from 0% | from 80% | all depths | errors |" in table
    assert "| 100 | 4 | 100% | 0% | 50.0%" in table


def test_sampling_of_a_suite_is_that_of_its_index():
    assert len(Sampling(fps=long_nano.FPS).seconds_for(180.0)) == 24
