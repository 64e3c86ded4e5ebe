"""Benchmarks of length on models of a few thousand weights: resumed, never asked twice, and shown as measured."""

import dataclasses
import json
import shutil
import sys

import pytest
import torch
from tiny import tiny

from benchmarks import ablation, finished, long_nano, rendered, score_tables
from longpanda.errors import ConfigError
from longpanda.evaluate import read_records
from longpanda.index import LongPanda
from longpanda.index.encode import LEAST_BLOCK_FRAMES
from longpanda.index.prefix import PrefixCache
from longpanda.longwatch import Split, render, scene_seed, vocabulary
from longpanda.longwatch.make import make
from longpanda.longwatch.suite import SuitePlan
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.train.build import build
from longpanda.train.recipe import ModelRecipe, Recipe, StageRecipe
from longpanda.train.run import train
from longpanda.types import Reply, Sample, Score, VideoClip
from longpanda.video import Sampling

TEMPORAL = {"grid": [2, 2], "layers": 1, "head_width": 16, "state_width": 4}
ABOUT = {"machine": {"cpus": 2, "processor": "some", "memory_bytes": 2**34, "torch": "2"}, "command": "python -m some"}


@pytest.fixture(autouse=True)
def short_answers(monkeypatch):
    """Untrained models do not know when to stop."""
    real = PrefixCache.generate
    monkeypatch.setattr(PrefixCache, "generate", lambda *a, **k: real(*a, **k | {"max_new_tokens": 2}))


@pytest.fixture(scope="module")
def panda():
    return LongPanda("tiny", *tiny(temporal_config=TEMPORAL, times_seconds=4.0))


def check_read_at_once(panda, scene, session):
    """Its tokens are those of all frames together."""
    seconds = session.watched.tokens.frames_seconds
    clip = VideoClip(render(scene, seconds, 48), seconds, scene.duration_seconds)
    with torch.inference_mode():
        (tokens,) = panda.model.clip_tokens(**panda.processor.image_processor.preprocess([clip]))
        expected = panda.model.temporal.whole(tokens).values
    torch.testing.assert_close(session.watched.tokens.values, expected)


def test_a_drawn_scene_is_read_in_blocks_as_a_whole(panda, monkeypatch):
    monkeypatch.setitem(panda.model.config.sampling, "max_frames", 8)  # what a model asks for by itself is no limit
    scene, frames = rendered.film(scene_seed(Split.DEV, 0), 70, 1.0)
    session = rendered.watch(panda, scene, rendered.middles(frames, scene.duration_seconds))
    assert session.plan.groups == 70 > LEAST_BLOCK_FRAMES
    assert session.watched.tokens.values.shape == (70, 4, 32)
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
    with pytest.raises(ConfigError, match="results with another language"):
        long_nano.on_needles(other, 60, 2, tmp_path)


def test_ten_thousand_frames_fit_into_written_times():
    """Minutes beyond those that the word tokenizer has would be unknown words."""
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
    with pytest.raises(ConfigError, match="results with another fps"):
        long_nano.on_suite(panda, tmp_path / "suite", tmp_path, 0.2)


TEXT = {"model_type": "qwen2", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
TEXT |= {"num_attention_heads": 2, "num_key_value_heads": 2}
QUICK = {"batch": 1, "learning_rate": 1e-3}
EXAM = ablation.Exam((24, 30), clips=1)
"""Its questions are drawn once: with `command`'s families."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A recipe of two steps, and a model without a compressor to start from."""
    stage = StageRecipe("read", steps=1, frames=(1,), stills=True, **QUICK)
    recipe = Recipe("base", ModelRecipe("nano", TEXT), (stage,), workers=0, log_steps=1, save_steps=1)
    out = tmp_path_factory.mktemp("base")
    folder = train(
        recipe, word_tokenizer(vocabulary()), ablation.of_stage, list(ablation.CELL_ATTRIBUTES.values()), out
    )
    last = StageRecipe("ask", steps=1, frames=(24,), scenes="gallery", families=("needle",), freeze=("stab",), **QUICK)
    model = dataclasses.replace(recipe.model, temporal={"head_width": 96, "state_width": 4})
    return dataclasses.replace(recipe, start=str(folder), model=model, stages=(stage, last))


def test_every_trial_of_the_ablation_makes_its_model(base):
    planned = ablation.trials(list(ablation.MIXING), list(ablation.TOKENS), [0, 1, 2])
    assert len({trial.name for trial in planned}) == len(planned) == 45
    assert ablation.Trial("learned", "10", 0) not in planned
    counts = {}
    for trial in planned[:15]:
        fields = trial.recipe(base).model.temporal
        model, processor = ablation_model(trial.recipe(base))
        frames = processor.image_processor
        counts[trial.mixing, trial.tokens] = sum(weight.numel() for weight in model.temporal.parameters())
        assert frames.tokens_per_group(96, 96) / frames.frames_per_group == score_tables._number(trial.tokens)
        assert fields["head_width"] == 96
    for tokens in ablation.TOKENS:
        assert counts["causal", tokens] == counts["bidirectional", tokens], "as many weights"
        assert counts["mean", tokens] == 0


def ablation_model(recipe):
    return build(recipe.model, word_tokenizer(vocabulary()))


def test_seeds_see_other_scenes_and_trials_of_a_seed_the_same(base):
    one, same, other = (ablation.Trial(*parts) for parts in (("mean", "4", 0), ("causal", "1", 0), ("mean", "4", 1)))
    stages = [(stage, number) for number, stage in enumerate(base.stages)]
    firsts = [[trial.lessons(*pair).plan.first_index for pair in stages] for trial in (one, same, other)]
    assert firsts[0] == firsts[1]
    assert not set(firsts[0]) & set(firsts[2])


@pytest.fixture
def command(base, tmp_path, monkeypatch):
    """The ablation of two small runs, as a user starts it."""
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
    assert {(row["mixing"], row["family"]) for row in result["rows"]} == {
        (mixing, family) for mixing in ("mean", "causal") for family in ("all", *ablation.FAMILIES)
    }
    pair = [study_of(command, base).finished(ablation.Trial(mixing, "1/4", 0)).scores for mixing in ("mean", "causal")]
    gained = [b.value - a.value for a, b in zip(*pair, strict=True) if a.sample.metadata["shows"] == ablation.SCRIPT]
    (over,) = [o for o in result["differences"] if (o["shows"], o["family"]) == (ablation.SCRIPT, "all")]
    assert (over["first"], over["second"], over["questions"]) == ("mean", "causal", len(gained))
    assert over["difference"] == over["each"]["0"] == pytest.approx(sum(gained) / len(gained))
    files = [study.work / second.name / name for name in ("few.jsonl", "scripts.jsonl")]
    answers = [one for path in files for one in read_records(path)[1]]
    said = {(one.sample.video, one.sample.question): one.value for one in answers}
    kept = study.finished(second).scores
    assert [one.sample for one in kept] == EXAM.samples
    assert [one.value for one in kept] == [said[one.sample.video, one.sample.question] for one in kept]
    table = score_tables.ablation(result)
    assert "| 1/4 | needle | causal |" in table
    shares = [row["named"]["0"] for row in result["rows"] if row["family"] == "all"]
    assert all(0 <= share <= 1 for share in shares)
    assert f"| {shares[0]:.0%} ({shares[0]:.0%}–{shares[0]:.0%}) |" in table
    assert "trained on at most 24 frames" in table
    assert "| few events, 24 frames | script, 24 frames | script, 30 frames | chance |" in table
    monkeypatch.setattr(ablation, "train", lambda *_: pytest.fail("a run was done again"))
    (command / "ablation.json").unlink()
    shutil.rmtree(command / "work")  # another machine has what was kept, and not what was trained
    ablation.main()
    assert json.loads((command / "ablation.json").read_text())["rows"] == result["rows"]


def test_a_run_of_another_recipe_or_exam_is_not_taken_for_this(base, tmp_path):
    trial, marks = ablation.Trial("mean", "4", 0), [1.0, 0.0, 0.0]
    scores = [Score(value, Reply(""), one) for value, one in zip(marks, EXAM.samples, strict=False)]
    scores[2] = dataclasses.replace(scores[2], error="no frames")
    path, about, samples = tmp_path / "mean-4-0.json", {"seed": 0}, EXAM.samples[:3]
    finished.keep(path, about, samples, finished.Finished(scores[::-1], 0.5))
    found = finished.finished_run(path, about, samples)
    assert [(one.value, bool(one.error)) for one in found.scores] == [(1.0, False), (0.0, False), (0.0, True)]
    assert found.named == 0.5
    with pytest.raises(ConfigError, match="a run with another questions"):
        finished.finished_run(path, about, samples[::-1])
    with pytest.raises(ConfigError, match="a run with another configuration"):
        ablation.Study(base, EXAM, tmp_path, tmp_path).finished(trial)


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
    sample = Sample("?", "7", family, cluster, ((1.0, 2.0),), {"chance": 0.1, "cluster": cluster, **about})
    return Score(value, Reply("7", visual_tokens=400), sample)


def test_tables_show_what_was_measured():
    scores = [score(1.0, minutes=m, cluster=str(i), depth=0.1) for m in (3.0, 10.0) for i in range(40)]
    scores += [score(0.0, minutes=30.0, cluster=str(i), depth=0.9) for i in range(40)]
    suite = score_tables.long_nano_suite({**ABOUT, "model": "x", "fps": 1 / 7.5, "rows": long_nano.suite_rows(scores)})
    assert "| needle | 100% [91%, 100%] | 100% [91%, 100%] | 0% [0%, 9%] | 10% | 10 |" in suite
    assert "one frame every 7.5 s" in suite
    needles = [long_nano.needle_row(100, [one for one in scores if one.sample.metadata["minutes"] != 10.0])]
    table = score_tables.long_nano_needle({**ABOUT, "model": "x", "minutes": 120.0, "rows": needles})
    assert "| frames | tokens per frame | from 0% | from 80% | all depths | errors |" in table
    assert "| 100 | 4 | 100% | 0% | 50.0%" in table


def test_sampling_of_a_suite_is_that_of_its_index():
    assert len(Sampling(fps=long_nano.FPS).seconds_for(180.0)) == 24
