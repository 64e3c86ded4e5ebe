"""A run from Python: what is asked, what is kept, and what is refused before anybody is asked."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from longpanda.errors import ConfigError, IncompleteError
from longpanda.evaluate import read_notes, read_records
from longpanda.harness.questions import Suite, questions_in
from longpanda.harness.run import Asking, Run, ask_all
from longpanda.harness.systems import OracleSystem


def _truth(sample):
    return sample.target


def test_all_is_asked_kept_and_gone_on_with(suite, scripted, tmp_path):
    steps, system = [], scripted(_truth)
    run = Run(suite, system, tmp_path / "r.jsonl")
    scores = ask_all(run, lambda *step: steps.append(step))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [score.value for score in scores] == [1.0] * 4
    configuration, kept = read_records(run.out)
    assert kept == scores
    assert configuration == run.configuration
    assert configuration.keys() == {"longpanda", "suite_sha256", "frames", "system"}
    (notes,) = read_notes(run.out)
    assert (notes["workers"], notes["haste"], "commit" in notes) == (1, 1, True)
    assert ask_all(run) == scores
    assert (len(system.asked), system.started) == (4, 2)


def test_an_error_is_asked_again_unless_that_is_not_wanted(suite, scripted, tmp_path):
    tired = scripted(lambda sample: None if sample.family == "count" else sample.target)
    run = Run(suite, tired, tmp_path / "r.jsonl")
    assert [bool(score.error) for score in ask_all(run)].count(True) == 2
    ask_all(replace(run, retry_errors=False))
    assert len(tired.asked) == 4
    awake = scripted(_truth)
    assert not any(score.error for score in ask_all(replace(run, system=awake)))
    assert sorted(awake.asked) == sorted(one.question for one in run.samples if one.family == "count")


def test_options_are_asked_in_every_rotation(suite, scripted, tmp_path):
    run = Run(suite, scripted(_truth), tmp_path / "r.jsonl", has_choices=True)
    scores = ask_all(run)
    assert len(scores) == len(run.samples) > 4 * 3
    assert {score.value for score in scores} == {1.0}
    assert read_records(run.out)[0]["choices"] is True


def test_the_oracle_is_asked_by_two(suite, tmp_path):
    scores = ask_all(Run(suite, OracleSystem(), tmp_path / "r.jsonl", workers=2))
    assert {score.error for score in scores} == {None}
    assert {score.value for score in scores if score.sample.family == "count"} == {1.0}


def test_a_system_that_is_down_is_left_alone(suite, scripted, tmp_path):
    system = scripted(lambda _: None)
    run = Run(suite, system, tmp_path / "r.jsonl", errors_in_a_row=2)
    with pytest.raises(IncompleteError, match="2 errors in a row, the last: a system that is tired; "):
        ask_all(run)
    assert len(read_records(run.out)[1]) == 2


def test_results_of_other_settings_are_refused_before_the_system_is_started(suite, scripted, tmp_path):
    run = Run(suite, scripted(_truth), tmp_path / "r.jsonl")
    ask_all(run)
    other = scripted(_truth, "other")
    with pytest.raises(ConfigError, match="system was 'scripted' and is now 'other'"):
        ask_all(replace(run, system=other))
    assert other.started == 0


def test_an_answer_to_another_question_is_refused_before_the_system_is_started(suite, scripted, tmp_path):
    run = Run(suite, scripted(_truth), tmp_path / "r.jsonl")
    identity = ask_all(run)[0].sample.id
    run.out.write_text(run.out.read_text().replace(identity, "other"))
    with pytest.raises(ConfigError, match=r"line 2 of '.*r.jsonl' answers the question other, which is not asked"):
        ask_all(run)
    assert run.system.started == 1


def test_two_cannot_fill_one_file(suite, scripted, tmp_path):
    run = Run(suite, scripted(_truth), tmp_path / "r.jsonl")
    with Asking(run, run.answerers()) as asking:
        assert len(asking.missing) == 4
        with pytest.raises(ConfigError, match="another process is writing"):
            Asking(run, run.answerers())
    assert len(ask_all(run)) == 4


def test_a_changed_video_is_refused_or_the_results_say_so(suite, scripted, tmp_path):
    folder = shutil.copytree(suite.source, tmp_path / "suite")
    film = next((folder / "videos").glob("*.mp4"))
    film.write_bytes(film.read_bytes() + b"more")
    run = Run(Suite(folder), scripted(_truth), tmp_path / "r.jsonl")
    with pytest.raises(ConfigError, match=f"{film.name}' is changed since it was made"):
        ask_all(run)
    assert not run.out.exists()
    assert len(ask_all(replace(run, is_unverified=True))) == 4
    assert read_records(run.out)[0]["unverified"] is True


def test_what_cannot_work_is_refused(suite, scripted, tmp_path):
    with pytest.raises(ConfigError, match="--workers 0"):
        Run(suite, scripted(_truth), tmp_path / "r.jsonl", workers=0)
    with pytest.raises(ConfigError, match="expected a complete suite"):
        ask_all(Run(Suite(tmp_path), scripted(_truth), tmp_path / "r.jsonl"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, 'the settings of Scripted, which have no name; expected "system" among them'),
        ({"system": ""}, "no name"),
        ({"system": "x", "path": Path("x")}, "'path' of Scripted, .* of type PosixPath; expected text"),
        ({"system": "x", "share": math.nan}, "'share' of Scripted, nan of type float"),
        ({"system": "x", "suite_sha256": "0"}, "the setting 'suite_sha256' of Scripted"),
        ({"system": "x", "choices": True}, "the setting 'choices' of Scripted"),
    ],
)
def test_settings_that_results_cannot_hold_are_refused(suite, scripted, tmp_path, monkeypatch, settings, message):
    system = scripted(_truth)
    monkeypatch.setattr(system, "settings", lambda: settings)
    with pytest.raises(ConfigError, match=message):
        ask_all(Run(suite, system, tmp_path / "r.jsonl"))
    assert (system.started, list(tmp_path.iterdir())) == (0, [])


def test_notes_that_results_cannot_hold_are_refused(suite, scripted, tmp_path, monkeypatch):
    system = scripted(_truth)
    monkeypatch.setattr(system, "limits", lambda: {"folder": tmp_path})
    with pytest.raises(ConfigError, match="'folder' of Scripted"):
        ask_all(Run(suite, system, tmp_path / "r.jsonl"))
    assert (system.started, list(tmp_path.iterdir())) == (0, [])


def test_paths_may_be_strings(suite, scripted, tmp_path):
    assert Suite(str(suite.source)) == suite
    assert len(ask_all(Run(questions_in(str(suite.source)), scripted(_truth), str(tmp_path / "r.jsonl")))) == 4


def test_questions_with_one_id_are_refused_before_the_system_is_started(suite, scripted, tmp_path, monkeypatch):
    system, samples = scripted(_truth), suite.samples()
    monkeypatch.setattr(Suite, "samples", lambda *_: [*samples, samples[0]])
    with pytest.raises(ConfigError, match=f"2 questions with the id {samples[0].id}"):
        ask_all(Run(suite, system, tmp_path / "r.jsonl"))
    assert system.started == 0


def test_a_name_that_is_too_long_is_refused(tmp_path):
    for name in ("a" * 300, "a" * 300 + ".jsonl"):
        with pytest.raises(ConfigError, match="'aaa"):
            questions_in(name).settings()
