from collections import Counter
from dataclasses import replace

import pytest
import yaml

from longpanda.longwatch import FAMILIES
from longpanda.longwatch import card as card_module
from longpanda.longwatch.card import card
from longpanda.longwatch.suite import SuitePlan

PLAN = SuitePlan(minutes=(3.0, 4.5), per_cell=7, seed=11, split="dev")
SAMPLES = list(PLAN.samples())


@pytest.fixture(autouse=True)
def few_pairs(monkeypatch):
    monkeypatch.setattr(card_module, "CONSTANT_PAIRS", 20)


@pytest.fixture
def text():
    return card(PLAN, SAMPLES, "data/questions.parquet", "abc123")


def test_the_hub_reads_the_header(text):
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["configs"] == [
        {"config_name": "default", "data_files": [{"split": "test", "path": "data/questions.parquet"}]}
    ]
    assert header["license"] == "apache-2.0"
    assert header["size_categories"] == ["n<1K"]
    assert "video-text-to-text" in header["task_categories"]


def test_the_composition_is_counted(text):
    cells = Counter((sample.family, sample.minutes) for sample in SAMPLES)
    absent = Counter(sample.family for sample in SAMPLES if sample.facts.absent)
    assert "| family | 3 min | 4.5 min | all |" in text
    for family in FAMILIES:
        short, long = cells[family, 3.0], cells[family, 4.5]
        assert f"| {family} | {short} | {long} | {short + long} | {absent[family]} |" in text
    assert f"Videos: {len({sample.video for sample in SAMPLES})};" in text


def test_it_says_what_is_not_known_and_whose_seeds_these_are(text):
    assert "not been shown that scores here transfer to natural video" in text
    assert "abc123" in text
    assert "do not share it" not in text
    private = replace(PLAN, split="private")
    assert "do not share it" in card(private, list(private.samples()), "data/questions.parquet", "abc123")
