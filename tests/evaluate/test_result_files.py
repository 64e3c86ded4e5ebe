import json

import pytest

from longpanda.errors import ConfigError
from longpanda.evaluate import Records, read_records
from longpanda.types import Reply, Sample, Score

CONFIGURATION = {"model": "m", "frames": None}
SAMPLES = [
    Sample(f"q{i}", "t", "f", f"v{i // 2}", ((0.0, 1.5),), {"depth": 0.1, "minutes": 3.0, "no": None}) for i in range(6)
]


def _score(sample: Sample) -> Score:
    return Score(1.0, Reply("answer", (0.5, 1.0), 9, 0.1, 7), sample, partial=1.0)


def _write(path, count, configuration=CONFIGURATION) -> None:
    records = Records(path, configuration)
    for sample in records.missing(SAMPLES)[:count]:
        records.add(_score(sample))
    records.close()


def test_what_is_written_comes_back(tmp_path) -> None:
    _write(tmp_path / "r.jsonl", 6)
    assert read_records(tmp_path / "r.jsonl") == (CONFIGURATION, [_score(sample) for sample in SAMPLES])


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_file_cut_anywhere_loses_its_last_line_only(tmp_path, cut) -> None:
    path = tmp_path / "r.jsonl"
    _write(path, 3)
    path.write_bytes(path.read_bytes()[:-cut])
    assert len(read_records(path)[1]) == 2
    _write(path, 6)
    assert read_records(path)[1] == [_score(sample) for sample in SAMPLES]


def test_an_answer_is_on_the_disk_at_once(tmp_path) -> None:
    records = Records(tmp_path / "r.jsonl", CONFIGURATION)
    records.add(_score(SAMPLES[0]))
    assert len(read_records(tmp_path / "r.jsonl")[1]) == 1


def test_another_configuration_is_refused_and_changes_nothing(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    _write(path, 2)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="another frames"):
        Records(path, CONFIGURATION | {"frames": 8})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    ["no json\n", "[]\n", "{}\n", json.dumps({"version": 99, "configuration": {}}) + "\n", '{"version": 1}\n'],
)
def test_a_file_that_holds_no_results_is_refused(tmp_path, text) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_records(path)
    with pytest.raises(ConfigError):
        Records(path, CONFIGURATION)
    assert path.read_text() == text


def test_a_missing_file_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        read_records(tmp_path / "none.jsonl")


def test_a_file_cut_within_its_first_line_is_begun_anew(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    for cut in ("", '{"version'):
        path.write_text(cut)
        _write(path, 6)
        assert len(read_records(path)[1]) == 6
        path.unlink()


def test_errors_are_asked_again_when_wanted(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    records = Records(path, CONFIGURATION)
    records.add(Score(0.0, Reply(""), SAMPLES[0], "down"))
    records.add(_score(SAMPLES[1]))
    records.close()
    assert Records(path, CONFIGURATION).missing(SAMPLES) == SAMPLES[2:]
    records = Records(path, CONFIGURATION, retry_errors=True)
    assert records.missing(SAMPLES) == [SAMPLES[0], *SAMPLES[2:]]
    records.add(_score(SAMPLES[0]))
    records.close()
    assert read_records(path)[1] == [_score(SAMPLES[0]), _score(SAMPLES[1])]
