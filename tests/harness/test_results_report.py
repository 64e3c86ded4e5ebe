"""A report from Python: of one file of results, and of two."""

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
    made, ran, again = report.commands
    assert made.startswith("longpanda longwatch make ")
    assert ran == f"longpanda longwatch run {suite.source} --model wrong --out {answered[1]}"
    assert again == f"longpanda longwatch report {answered[1]} --suite {suite.source}"


def test_two_files_are_compared(answered):
    report = report_of(read_results(answered))
    assert [one.name for one in report.models] == ["right", "wrong"]
    assert report.paired[0].found.difference == -1.0
    assert report.suite is None
    assert "wrong minus right" in markdown(report)


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
