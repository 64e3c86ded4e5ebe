import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from longpanda.errors import ConfigError
from longpanda.evaluate import Records, read_notes, read_records
from longpanda.types import Facts, Reply, Sample, Score

CONFIGURATION = {"model": "m", "frames": None}
SAMPLES = [
    Sample(f"q{i}", "t", "f", f"v{i // 2}", ((0.0, 1.5),), Facts(depth=0.1, minutes=3.0, people=("red",)))
    for i in range(6)
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


def test_questions_with_one_id_are_refused(tmp_path) -> None:
    records = Records(tmp_path / "r.jsonl", CONFIGURATION)
    twice = [replace(SAMPLES[0], id="a"), replace(SAMPLES[1], id="a")]
    with pytest.raises(ConfigError, match="2 questions with the id a"):
        records.missing(twice)
    assert records.missing([replace(one, rotation=by) for by, one in enumerate(twice)]), "rotations of one question"


def test_an_answer_is_on_the_disk_at_once(tmp_path) -> None:
    records = Records(tmp_path / "r.jsonl", CONFIGURATION)
    records.add(_score(SAMPLES[0]))
    assert len(read_records(tmp_path / "r.jsonl")[1]) == 1


def test_another_configuration_is_refused_and_changes_nothing(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    _write(path, 2)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="frames was not set and is now 8; expected"):
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


def test_errors_are_asked_again_unless_they_are_to_stay(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    records = Records(path, CONFIGURATION)
    records.add(Score(0.0, Reply(""), SAMPLES[0], "down"))
    records.add(_score(SAMPLES[1]))
    records.close()
    assert Records(path, CONFIGURATION, retry_errors=False).missing(SAMPLES) == SAMPLES[2:]
    records = Records(path, CONFIGURATION)
    assert records.missing(SAMPLES) == [*SAMPLES[2:], SAMPLES[0]], "what was never asked comes first"
    records.add(_score(SAMPLES[0]))
    records.close()
    assert read_records(path)[1] == [_score(SAMPLES[0]), _score(SAMPLES[1])]


@pytest.mark.parametrize(
    "text", ["one line of mine", "two lines\nof mine", "[]\n", '{"version": 1, "configuration": 3}\n', "\n"]
)
def test_a_file_of_something_else_is_left_as_it_is(tmp_path, text) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError, match="holds no results"):
        Records(path, CONFIGURATION)
    assert path.read_text() == text


@pytest.mark.parametrize("bad", ["{", "[]", "3", '{"sample": {}}', '"notes"'])
def test_a_line_that_is_not_a_result_is_named(tmp_path, bad) -> None:
    path = tmp_path / "r.jsonl"
    records = Records(path, CONFIGURATION)
    for sample in SAMPLES[:2]:
        records.add(_score(sample))
    records.close()
    head, first, second = path.read_text().splitlines()
    path.write_text(f"{head}\n{first}\n{bad}\n{second}\n")
    before = path.read_text()
    for use in (read_records, lambda path: Records(path, CONFIGURATION)):
        with pytest.raises(ConfigError, match=r"line 3 of '.*r\.jsonl' is not a result"):
            use(path)
    assert path.read_text() == before
    path.write_text(f"{head}\n{first}\n{second}\n{bad}")
    assert len(read_records(path)[1]) == 2, "a last line that was cut off is left out"


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    first = Records(path, CONFIGURATION)
    first.add(_score(SAMPLES[0]))
    assert len(read_records(path)[1]) == 1, "reading must not give the lock away"
    with pytest.raises(ConfigError, match="another process is writing"):
        Records(path, CONFIGURATION)
    first.add(_score(SAMPLES[1]))
    first.close()
    second = Records(path, CONFIGURATION)
    assert second.missing(SAMPLES) == SAMPLES[2:]
    second.close()


def test_a_refused_configuration_does_not_hold_the_file(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    _write(path, 1)
    with pytest.raises(ConfigError, match="model was 'm' and is now not set"):
        Records(path, {})
    _write(path, 2)


HOLDER = """
import subprocess, sys
from pathlib import Path
from longpanda.evaluate import Records
records = Records(Path(sys.argv[1]), {"model": "m", "frames": None})
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print("held", flush=True)
input()
"""


def test_a_killed_writer_leaves_no_lock_not_even_through_what_it_started(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ConfigError, match="another process is writing"):
        Records(path, CONFIGURATION)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    _write(path, 6)
    for pipe in (holder.stdin, holder.stdout):
        pipe.close()


def test_a_name_that_cannot_be_written_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        Records(tmp_path, CONFIGURATION)


def test_notes_may_change_and_are_all_kept_beside_the_answers(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    for commit in ("a", "a", "b", "a"):
        records = Records(path, CONFIGURATION, notes={"commit": commit})
        records.add(_score(records.missing(SAMPLES)[0]))
        records.close()
    assert read_notes(path) == [{"commit": commit} for commit in "aba"]
    assert read_records(path) == (CONFIGURATION, [_score(sample) for sample in SAMPLES[:4]])


def test_what_turns_out_while_answers_are_made_is_noted_once(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    records = Records(path, CONFIGURATION, notes={"commit": "a"})
    records.add(_score(SAMPLES[0]))
    for _ in range(2):
        records.note({"commit": "a", "refused": "temperature"})
    records.close()
    assert read_notes(path) == [{"commit": "a"}, {"commit": "a", "refused": "temperature"}]
    assert read_records(path) == (CONFIGURATION, [_score(SAMPLES[0])])


def test_results_from_before_errors_had_kinds_are_read(tmp_path) -> None:
    path = tmp_path / "r.jsonl"
    old = {"value": 0.0, "reply": {"text": "", "frames_seconds": []}, "sample": asdict(SAMPLES[0]), "error": "down"}
    path.write_text(json.dumps({"version": 1, "configuration": CONFIGURATION}) + "\n" + json.dumps(old) + "\n")
    assert read_records(path)[1] == [Score(0.0, Reply(""), SAMPLES[0], "down")]


def test_notes_of_no_file_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        read_notes(tmp_path / "none.jsonl")
