"""Indexes of annotation files: every record found, damage counted, changes noticed."""

import hashlib
import json
import os
import pickle

import numpy as np
import pytest

from longpanda.data import scan as scanning
from longpanda.data.record_index import index_files, open_index
from longpanda.data.scan import KINDS, scan
from longpanda.data.schema import Fault, RecordError, read_record
from longpanda.errors import ConfigError


def _record(number, text="What happens?"):
    turns = [{"from": "human", "value": f"<image>\n{text}"}, {"from": "gpt", "value": f"{number} cups fall. ü{{]"}]
    return {"id": str(number), "video": f"{number}.mp4", "conversations": turns}


RECORDS = [_record(number, "x" * (1 + number % 7)) for number in range(1, 40)]


def _list(records, indent=None):
    return json.dumps(records, ensure_ascii=False, indent=indent)


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("window", [1 << 24, 64, 700])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", _list(RECORDS)),
        ("a.json", _list(RECORDS, indent=1)),
        ("a.json", "\ufeff\n [" + ",".join(_list(one) for one in RECORDS) + " \n]\n"),
        ("a.jsonl", "\n".join(_list(one) for one in RECORDS)),
        ("a.jsonl", "\n\n".join(_list(one) for one in RECORDS) + "\n\n"),
    ],
)
def test_every_record_is_found_and_read(tmp_path, monkeypatch, window, name, text):
    monkeypatch.setattr(scanning, "_WINDOW_BYTES", window)
    monkeypatch.setattr(scanning, "_BLOCK", 16)
    path = _write(tmp_path / name, text)
    (index,) = index_files([path], tmp_path / "cache")
    assert [index.read(number) for number in range(len(index))] == [read_record(one) for one in RECORDS]
    assert index.entries["characters"][0] == sum(len(turn.text) for turn in read_record(RECORDS[0]).turns)
    assert {KINDS[kind] for kind in index.entries["kind"]} == {"video"}
    assert (set(index.entries["media"]), set(index.entries["turns"]), set(index.entries["fault"])) == ({1}, {2}, {0})


def test_a_damaged_line_costs_that_line(tmp_path):
    lines = [json.dumps(one) for one in RECORDS[:3]]
    path = _write(tmp_path / "a.jsonl", "\n".join([lines[0], lines[1][:30], "", lines[2], '{"video": "a.mp4"}']))
    (index,) = index_files([path], tmp_path)
    assert index.faults(range(len(index))) == {Fault.JSON: 1, Fault.TURNS: 1}
    assert index.faults(range(1)) == {}
    assert [(one.number, one.line, one.fault) for one in index.mistakes] == [(1, 2, "json"), (3, 5, "turns")]
    assert index.read(2) == read_record(RECORDS[2])
    with pytest.raises(RecordError, match=r"record 2 of '.*a.jsonl': text that is not JSON"):
        index.read(1)


@pytest.mark.parametrize("text", ["", "{}", "[", '[{"a": 1}', '[{"a": 1} {"a": 2}]', '[{"a": 1},]', '[{"a": }]', "[]"])
def test_a_damaged_list_is_refused(tmp_path, text):
    path = _write(tmp_path / "a.json", text)
    with pytest.raises(ConfigError, match=r"a.json"):
        scan(path)


def test_a_list_that_is_cut_names_the_record(tmp_path):
    text = _list(RECORDS)
    path = _write(tmp_path / "a.json", text[: text.index('"id": "12"') + 20])
    with pytest.raises(ConfigError, match=r"damaged at record 12, byte [0-9]+; expected a whole record"):
        scan(path)


def test_a_file_that_changed_is_indexed_again(tmp_path):
    path, cache = _write(tmp_path / "a.jsonl", json.dumps(RECORDS[0])), tmp_path / "cache"
    assert open_index(path, cache) is None
    index_files([path], cache)
    assert len(open_index(path, cache)) == 1
    _write(path, "\n".join(json.dumps(one) for one in RECORDS[:2]))
    assert open_index(path, cache) is None
    (index,) = index_files([path], cache)
    assert len(index) == 2
    os.utime(path, ns=(0, 0))
    assert open_index(path, cache) is None


def test_a_damaged_index_is_made_again(tmp_path):
    path = _write(tmp_path / "a.jsonl", json.dumps(RECORDS[0]))
    index_files([path], tmp_path / "cache")
    for file in (tmp_path / "cache").iterdir():
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        assert open_index(path, tmp_path / "cache") is None
        (index,) = index_files([path], tmp_path / "cache")
        assert index.read(0) == read_record(RECORDS[0])


def test_several_processes_make_what_one_makes(tmp_path):
    paths = [_write(tmp_path / f"{number}.jsonl", json.dumps(RECORDS[number])) for number in range(3)]
    told = []
    several = index_files([*paths, paths[0]], tmp_path / "two", processes=2, progress=told.append)
    one = index_files(paths, tmp_path / "one")
    assert sorted(told) == sorted(path.stat().st_size for path in paths)
    assert [index.path for index in several] == paths
    for a, b in zip(one, several, strict=True):
        np.testing.assert_array_equal(a.entries, b.entries)
    again = pickle.loads(pickle.dumps(several[1]))
    assert again.read(0) == read_record(RECORDS[1])


def test_missing_files_and_folders_that_cannot_be_made_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no file"):
        index_files([tmp_path / "none.jsonl"], tmp_path)
    path = _write(tmp_path / "a.jsonl", json.dumps(RECORDS[0]))
    with pytest.raises(ConfigError, match=r"cannot be made .*set cache"):
        index_files([path], path / "cache")


def test_the_hash_of_a_file_is_that_of_its_content(tmp_path):
    path = _write(tmp_path / "a.json", _list(RECORDS))
    index_files([path], tmp_path / "cache")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert open_index(path, tmp_path / "cache").sha256 == expected
    assert pickle.loads(pickle.dumps(open_index(path, tmp_path / "cache"))).sha256 == expected
