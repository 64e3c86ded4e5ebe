"""The task files, without lmms-eval: all functions that they name exist, and mark answers as `longwatch run` does."""

import importlib.util
from dataclasses import replace

import pytest
import yaml

from longpanda.longwatch import FAMILIES
from longpanda.longwatch.harness import task_files
from longpanda.longwatch.rows import rows_of
from longpanda.longwatch.suite import SuitePlan

SAMPLES = list(SuitePlan(minutes=(3.0,), per_cell=7, seed=11, split="dev").samples())


class _Loader(yaml.SafeLoader):
    """Reads `!function utils.name` as that text."""


_Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """A folder of tasks as in an export."""
    folder = tmp_path_factory.mktemp("export") / "lmms_eval"
    folder.mkdir()
    for name, text in task_files(tuple(FAMILIES), "../data/questions.parquet", "1-abc").items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def utils(tasks):
    spec = importlib.util.spec_from_file_location("utils", tasks / "utils.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read(path):
    values = yaml.load(path.read_text(), _Loader)
    return _read(path.with_name(values.pop("include"))) | values if "include" in values else values


def test_the_group_names_one_task_for_each_family(tasks):
    group = _read(tasks / "longwatch.yaml")
    assert group["task"] == [f"longwatch_{family}" for family in FAMILIES]
    for family, name in zip(FAMILIES, group["task"], strict=True):
        task = _read(tasks / f"{name}.yaml")
        assert (task["task"], task["dataset_path"]) == (name, "parquet")
        assert task["dataset_kwargs"] == {
            "data_files": {"test": "../data/questions.parquet"},
            "filters": [["family", "==", family]],
        }
        assert "video" not in task["dataset_kwargs"]  # would look for the videos on the hub
    assert {path.stem for path in tasks.glob("*.yaml")} == {"longwatch", *group["task"]}


def test_every_function_that_a_task_names_is_there(tasks, utils):
    task = _read(tasks / "longwatch_needle.yaml")
    named = [task[key] for key in ("doc_to_visual", "doc_to_text", "process_results")]
    named += [metric["aggregation"] for metric in task["metric_list"]]
    assert all(callable(getattr(utils, name.removeprefix("utils."))) for name in named)


def test_answers_are_marked_as_everywhere_else(utils):
    texts = ["never", "47", "the red circle", "00:10 - 01:00", ""]
    for sample, row in zip(SAMPLES, rows_of(SAMPLES), strict=True):
        for text in (*texts, sample.target, f"It is {sample.target}."):
            found, mark = utils.process_results(row, [text]), FAMILIES[sample.family].mark(text, sample)
            assert {name: one["score"] for name, one in found.items()} == {"exact": mark.value, "partial": mark.partial}
            assert found["exact"]["cluster"] == sample.cluster
    assert utils.mean([{"score": 1.0}, {"score": 0.5}]) == 0.75


def test_thinking_is_no_part_of_an_answer_there_either(utils):
    (row,) = rows_of(SAMPLES[:1])
    alone = utils.process_results(row, [SAMPLES[0].target])
    assert alone["exact"]["score"] == 1
    assert utils.process_results(row, [f"<think>12, or never?</think>{SAMPLES[0].target}"]) == alone


def test_a_model_is_shown_the_video_and_told_how_to_answer(tasks, utils):
    kinds = _read(tasks / "longwatch_needle.yaml")["lmms_eval_specific_kwargs"]
    sample, row = SAMPLES[0], rows_of(SAMPLES)[0]
    assert utils.doc_to_visual(row) == [str(tasks.parent / "videos" / f"{sample.video}.mp4")]
    assert utils.doc_to_text(row, kinds["default"]) == f"{sample.question} {sample.facts.instruction}"
    assert utils.doc_to_text(row, kinds["longpanda"]) == sample.question


def test_the_answer_is_in_no_prompt(utils):
    told = replace(SAMPLES[0], target="the secret answer")
    assert "secret" not in utils.doc_to_text(rows_of([told])[0], {"instruction": True})
