"""The examples that docs/data.md shows: they can be used as they are."""

import json
import re
from pathlib import Path

import yaml

from longpanda.data.mixture import read_mixture
from longpanda.data.places import places_of
from longpanda.data.record_index import index_files
from longpanda.data.schema import Fault, parse_record
from longpanda.data.selection import selected

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "data.md"


def _blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_ten_lines_are_records(tmp_path):
    mixture = read_mixture(ROOT / "examples" / "mixture.yaml")
    (index,) = index_files([mixture.sources[0].annotations], tmp_path)
    records = [index.read(number) for number in selected(mixture.sources[0].strategy, len(index))]
    assert len(records) == 10
    assert [record.kind for record in records] == ["video"] * 9 + ["text"]
    assert not index.faults(range(10))


def test_the_lines_and_files_on_the_page_are_valid(tmp_path):
    (lines,) = _blocks("json")
    assert [parse_record(line).kind for line in lines.splitlines()] == ["video", "video", "video", "image", "text"]
    one, places, stage = _blocks("yaml")
    assert yaml.safe_load(stage)["stages"][0]["data"]["kind"] == "annotations"
    (tmp_path / "mixture").mkdir()
    (tmp_path / "mixture/annotations.jsonl").write_text(lines)
    (tmp_path / "mixture/m.yaml").write_text(one)
    assert read_mixture(tmp_path / "mixture/m.yaml").sources[0].repeat == 2
    assert places_of(yaml.safe_load(places), tmp_path / "places.yaml").missing == "leave out"


def test_every_reason_stands_on_the_page():
    from longpanda.data.media_facts import MediaFault

    page = PAGE.read_text()
    reasons = [str(fault) for fault in MediaFault if fault] + [
        one.name.lower().replace("_", " ") for one in Fault if one
    ]
    unsaid = [reason for reason in reasons if reason not in page]
    assert unsaid == ["source without a root folder", "video without a length"]


def test_the_examples_are_one_object_a_line():
    text = (ROOT / "examples" / "annotations.jsonl").read_text()
    assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
