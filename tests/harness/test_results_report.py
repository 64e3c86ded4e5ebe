"""A report from Python: of one file of results, and of two."""

from dataclasses import replace

import pytest

from longpanda.errors import ConfigError
from longpanda.evaluate.report import markdown
from longpanda.harness.questions import Suite
from longpanda.harness.report import read_results, report_of
from longpanda.harness.run import Run, ask_all
from longpanda.longwatch.make import make
from longpanda.longwatch.suite import SuitePlan


@pytest.fixture
def answered(suite, scripted, tmp_path):
    """Two files of results: all right, and all wrong."""
    for name, said in (("right", None), ("wrong", "red herring")):
        system = scripted(lambda sample, said=said: said or sample.target, name)
        ask_all(Run(suite, system, tmp_path / f"{name}.jsonl"))
    return tmp_path / "right.jsonl", tmp_path / "wrong.jsonl"


def test_one_file_tells_its_marks_and_how_it_was_made(suite, answered):
    report = report_of(read_results(answered[1:], suite), suite)
    (model,) = report.models
    assert (model.name, model.overall.exact.value, model.missing) == ("wrong", 0.0, 0)
    assert next(one.picture[:3] for one in model.failures if one.score.sample.evidence_seconds) == b"\xff\xd8\xff"
    assert report.suite["seed"] == 6
    made, again = report.commands
    assert made.startswith("longpanda longwatch make ")
    assert again == f"longpanda longwatch report {answered[1]} --suite {suite.source}"


def test_two_files_are_compared(answered):
    report = report_of(read_results(answered))
    assert [one.name for one in report.models] == ["right", "wrong"]
    assert report.paired[0].found.difference == -1.0
    assert report.suite is None
    assert "wrong minus right" in markdown(report)


def test_a_custom_system_has_its_own_name_and_no_command(answered):
    (results,) = read_results(str(answered[0]))
    assert results.system == "right"
    assert not [one for one in report_of([results]).commands if " run " in one]
    named = {"oracle": {"oracle": True}, "nano": {"model": "nano", "model_sha256": "0"}, "cat": {"command": "cat"}}
    for name, settings in named.items():
        (command, _) = report_of([replace(results, configuration=settings)]).commands
        assert f"--{next(iter(settings))}" in command
        assert replace(results, configuration=settings).system.endswith(name)
    assert replace(results, configuration={}).system == "an unnamed system"


def test_notes_of_any_json_are_shown(answered):
    (results,) = read_results(answered[:1])
    noted = replace(results, notes=({"gpus": ["a"]}, {"gpus": ["a"]}, {"gpus": ["b"]}))
    assert report_of([noted]).models[0].configuration["gpus"] == "['a'] and ['b']"


def test_an_answer_to_a_question_of_another_suite_is_refused(suite, answered):
    path = answered[0]
    head, first, *others = path.read_text().splitlines(keepends=True)
    identity = read_results([path])[0].scores[0].sample.id
    path.write_text("".join([head, first.replace(identity, "other"), first, *others]))
    with pytest.raises(ConfigError, match=r"line 2 of '.*right.jsonl' answers the question other, which is not asked"):
        read_results([path], suite)
    assert len(read_results([path])[0].scores) == 5, "without the questions it cannot be known"


def test_other_results_are_refused(suite, answered, tmp_path):
    with pytest.raises(ConfigError, match="0 files of results"):
        read_results([])
    with pytest.raises(ConfigError, match="3 files of results"):
        read_results([*answered, answered[0]])
    with pytest.raises(ConfigError, match="no file"):
        read_results([tmp_path / "none.jsonl"])
    plan = SuitePlan(minutes=(3.0,), families=("count",), per_cell=1, seed=7, split="dev", size_px=96, fps=0.5)
    for _ in make(plan, tmp_path / "other", 1):
        pass
    with pytest.raises(ConfigError, match="results that are not on"):
        read_results(answered, Suite(tmp_path / "other"))
    head, *_ = answered[0].read_bytes().splitlines(keepends=True)
    (tmp_path / "begun.jsonl").write_bytes(head)
    with pytest.raises(ConfigError, match="no answer in"):
        read_results([tmp_path / "begun.jsonl"])
