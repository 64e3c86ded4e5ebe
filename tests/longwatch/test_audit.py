"""The audit reports what it should, and nothing else."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from longpanda.longwatch import FAMILIES, audit, film, textonly
from longpanda.longwatch.audit import (
    BOUNDED,
    INVARIANCES,
    Row,
    eight,
    ends,
    padded,
    reversed_frames,
    shuffled_frames,
    single,
    twice,
)
from longpanda.longwatch.film import read_film
from longpanda.longwatch.make import make
from longpanda.longwatch.manifest import VIDEOS
from longpanda.longwatch.oracle import ReadFilm
from longpanda.longwatch.suite import SuitePlan
from longpanda.longwatch.textonly import TextOnly, features, label

PLAN = SuitePlan(minutes=(3.0,), per_cell=4, seed=12, split="dev", fps=0.25)
FAIR = Row(
    "order", 10.0, 100, 0.5, 0.5, 1.0, {control.name: 0.5 for control in BOUNDED}, dict.fromkeys(INVARIANCES, 1.0)
)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite") / "suite"
    assert len(list(make(PLAN, folder))) == 5
    return folder


@pytest.fixture(autouse=True)
def few_pairs(monkeypatch):
    monkeypatch.setattr(audit, "TEXT_PAIRS", 60)
    monkeypatch.setattr(audit, "BAG_PAIRS", 60)


def _rows(folder):
    return [found for found in audit.audit(folder) if isinstance(found, Row)]


def test_the_oracle_answers_all_from_the_file_and_one_frame_does_not(suite):
    rows = _rows(suite)
    assert {row.family for row in rows} == set(FAMILIES)
    assert all(row.oracle == 1.0 and row.questions == 4 for row in rows)
    assert np.mean([row.controls["single frame"] for row in rows]) < 0.4
    by_name = {row.family: row for row in rows}
    assert by_name["needle"].controls["shuffled"] == 1.0
    assert by_name["sequence"].controls["reversed"] == 0.0


def test_a_film_that_does_not_show_what_is_asked_breaks_the_bound_of_the_oracle(suite, tmp_path):
    folder = shutil.copytree(suite, tmp_path / "suite")
    for entry in PLAN.entries:
        path = folder / VIDEOS / f"{entry.name}.mp4"
        film(replace(read_film(path).scene, events=()), path, PLAN.size_px, PLAN.fps, PLAN.crf)
    assert all(any("oracle" in bound for bound in row.broken) for row in _rows(folder))


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, ()),
        ({"oracle": 0.94}, ("oracle below 99%",)),
        ({"text_only": 0.54}, ("text only more than 3% above chance",)),
        ({"controls": {**FAIR.controls, "shuffled": 0.9}}, ("shuffled more than half the way to the oracle",)),
        ({"oracle": 0.98}, ()),  # its interval reaches up to the bound
        ({"controls": {**FAIR.controls, "shuffled": 0.8}}, ()),  # its interval reaches down to the bound
        ({"controls": {**FAIR.controls, "reversed": 1.0}}, ("reversed more than half the way to the oracle",)),
        ({"controls": {**FAIR.controls, "reversed": 1.0}, "family": "count"}, ()),
        ({"controls": {**FAIR.controls, "shuffled": 1.0}, "family": "needle"}, ()),
        ({"controls": {**FAIR.controls, "eight frames": 1.0}}, ("eight frames more than half the way to the oracle",)),
        ({"controls": {**FAIR.controls, "eight frames": 1.0}, "minutes": 3.0}, ()),
        ({"controls": {**FAIR.controls, "bag": 1.0}}, ("bag more than half the way to the oracle",)),
        ({"controls": {**FAIR.controls, "bag": 1.0}, "family": "multikey"}, ()),
        ({"invariances": {"twice": 0.9, "padded": 1.0}}, ("twice below 99%",)),
    ],
)
def test_each_bound_can_break(change, broken):
    assert tuple(audit._broken(replace(FAIR, **change))) == broken


def test_few_questions_do_not_tell():
    few = replace(FAIR, questions=4, controls=FAIR.controls | {"shuffled": 1.0})
    assert not list(audit._broken(few))
    assert "shuffled" in list(audit._unsure(few))
    assert "shuffled" not in list(audit._unsure(replace(FAIR, questions=1000)))


def test_controls_keep_what_they_say():
    watched = ReadFilm("hall", [(float(i), i) for i in range(24)], 1.0, 24.0)
    rng = np.random.default_rng(0)
    assert single(watched, rng).sights == [(12.0, 12)]
    assert [sight for _, sight in eight(watched, rng).sights] == [1, 4, 7, 10, 13, 16, 19, 22]
    assert [sight for _, sight in ends(watched, rng).sights] == [0, 3, 6, 10, 13, 17, 20, 23]
    assert reversed_frames(watched, rng).sights == [(float(i), 23 - i) for i in range(24)]
    mixed = shuffled_frames(watched, rng).sights
    assert [moment for moment, _ in mixed] == list(range(24))
    assert sorted(sight for _, sight in mixed) == list(range(24))
    assert mixed != watched.sights
    assert twice(watched, rng).sights == watched.sights + [(24.0 + i, i) for i in range(24)]
    assert padded(watched, rng).sights == watched.sights + [(24.0 + i, {}) for i in range(24)]


def _absent(samples):
    return np.mean([sample.target == "never" for sample in samples])


def test_questions_give_nothing_away():
    asked = textonly.by_family(textonly.public_plan(PLAN, 600).samples())
    assert asked.keys() == FAMILIES.keys()
    for family, samples in asked.items():
        found = TextOnly.of(samples)
        assert len(samples) == 600
        assert found.trained <= found.constant + audit.MARGIN, family
        assert found.constant < max(FAMILIES[family].chance, _absent(samples)) + 0.08, family


@pytest.mark.parametrize("seed", [0, 2**20 - 2, 2**20 - 1])
@pytest.mark.parametrize("split", ["dev", "report", "private"])
def test_nothing_is_learned_from_the_suite_itself(split, seed):
    plan = replace(PLAN, split=split, seed=seed, families=("needle",))
    learned = {sample.facts.scene_seed for sample in textonly.public_plan(plan, 12).samples()}
    assert not learned & {sample.facts.scene_seed for sample in plan.samples()}


def test_a_word_that_gives_the_answer_away_is_found():
    rng = np.random.default_rng(0)
    questions = [f"Which {'dim' if answer else 'bright'} one, {rng.integers(9)}?" for answer in (0, 1) * 50]
    model = textonly._Bayes([features(question) for question in questions], ["yes", "no"] * 50)
    assert model.guess(features("Which dim one, 3?")) == "no"
    assert model.guess(features("Which bright one, 3?")) == "yes"
    assert model.guess(["unknown"]) in ("yes", "no")


def test_titles_that_are_named_become_their_places():
    question = "Which came first, the red circle or the blue cross?"
    assert [label(question, target) for target in ("red circle", "blue cross", "never")] == ["0", "1", "never"]
    assert label("List these: red circle, blue cross, cyan cross.", "cyan cross, red circle, blue cross") == "2,0,1"
    assert label("What number is on the red circle?", "17") == "17"
