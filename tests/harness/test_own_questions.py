"""A user's own questions: what is asked, what is right, and every mistake by the number of its line."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from tiny import scenery

from longpanda.cli.main import main
from longpanda.errors import ConfigError
from longpanda.evaluate import read_records
from longpanda.harness.own import INSTRUCTION, OwnQuestions, normalised
from longpanda.harness.questions import Suite, questions_in
from longpanda.harness.report import read_results, report_of
from longpanda.harness.run import Run, ask_all
from longpanda.harness.systems import CommandSystem, OracleSystem
from longpanda.longwatch import Split, film, generate, scene_seed
from longpanda.video import encode

ROOT = Path(__file__).parents[2]
OPEN = {"video": "a.mp4", "question": "What is it?", "answer": "The Eiffel Tower"}
CHOSEN = {"video": "a.mp4", "question": "Which?", "answer": "no", "choices": ["yes", "no", "never"]}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    encode(scenery(4), path, 10, preset="ultrafast", gop=5)
    return path


@pytest.fixture
def written(video, tmp_path):
    """Writes a file of questions beside the videos a.mp4 and b.mp4."""
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(video, tmp_path / name)

    def write(*lines):
        path = tmp_path / "questions.jsonl"
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        path.write_bytes(b"\n".join(texts) + b"\n")
        return OwnQuestions(path)

    return write


def test_questions_become_samples_and_those_of_one_video_stand_together(written):
    other = OPEN | {"video": "b.mp4"}
    questions = written(OPEN, b"", other, CHOSEN)
    plain, chosen, last = questions.samples()
    assert (plain.question, plain.target, plain.video, last.video) == ("What is it?", OPEN["answer"], "a.mp4", "b.mp4")
    assert plain.facts.instruction == INSTRUCTION
    assert plain.minutes == 0.07, "4 seconds, to one digit"
    assert chosen.question.splitlines()[:4] == ["Which?", "A. yes", "B. no", "C. never"]
    assert (chosen.target, chosen.facts.chance) == ("B", 1 / 3)
    assert questions.path_of("a.mp4").is_file()
    assert questions.count() == 3


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("the eiffel  tower.", True),
        ('"Eiffel Tower"!', True),
        ("**Eiffel Tower**", True),
        ("It is the Eiffel Tower", False),
        ("Eiffel", False),
    ],
)
def test_an_open_answer_is_right_in_other_clothes_alone(written, text, is_right):
    questions = written(OPEN)
    assert questions.mark(text, questions.samples()[0]).value == is_right


def test_what_stands_within_an_answer_counts():
    pairs = [("3.5", "35"), ("-2", "2"), (".5", "5"), ("C++", "C"), ("10:30", "1030"), ("a b", "ab")]
    assert not [pair for pair in pairs if normalised(pair[0]) == normalised(pair[1])]
    assert normalised("5") == normalised(" ５. ")


@pytest.mark.parametrize(
    ("text", "is_right"), [("B", True), ("(b)", True), ("No.", True), ("A", False), ("B or C", False)]
)
def test_a_choice_is_read_by_its_letter_or_its_words(written, text, is_right):
    questions = written(CHOSEN)
    assert questions.mark(text, questions.samples()[0]).value == is_right


def test_choices_may_be_the_letters_that_stand_beside_them(written):
    questions = written(CHOSEN | {"choices": ["A", "B"], "answer": "B"})
    assert questions.mark("B", questions.samples()[0]).value == 1.0
    with pytest.raises(
        ConfigError, match=r"line 1 of .*: the choice 'B' beside the letter A, which reads as the letter B"
    ):
        questions.samples(has_choices=True)


def test_choices_are_asked_in_every_rotation(written, scripted, tmp_path):
    run = Run(written(CHOSEN), scripted(lambda sample: sample.target), tmp_path / "r.jsonl", has_choices=True)
    assert [score.sample.target for score in ask_all(run)] == ["B", "A", "C"]
    assert {sample.facts.chance for sample in run.samples} == {1 / 3}
    (model,) = report_of(read_results([run.out], run.questions), run.questions).models
    assert (model.overall.exact.questions, model.overall.exact.value, model.missing) == (1, 1.0, 0)
    with pytest.raises(ConfigError, match=r"line 2 of '.*': no choices; expected choices in every line"):
        written(CHOSEN, OPEN).samples(has_choices=True)


def test_a_question_is_known_by_the_id_that_its_writer_gave(written, scripted, tmp_path):
    questions = written(OPEN | {"id": "paris-1"}, CHOSEN)
    named, other = questions.samples()
    assert named.id == "paris-1"
    assert other.id.startswith(f"{other.video}.own.")
    run = Run(questions, scripted(lambda sample: sample.id), tmp_path / "r.jsonl")
    assert [score.reply.text for score in ask_all(run)] == ["paris-1", other.id]
    with pytest.raises(ConfigError, match=r"line 2 of '.*': the id of line 1 again"):
        written(OPEN | {"id": "a"}, CHOSEN | {"id": "a"}).samples()
    with pytest.raises(ConfigError, match=r"line 1 of '.*': 'id' 7; expected text in quotes"):
        written(OPEN | {"id": 7}).samples()


def test_a_run_is_reported(written, scripted, tmp_path):
    questions = written(OPEN, CHOSEN)
    run = Run(questions, scripted(lambda _: "B"), tmp_path / "r.jsonl")
    assert [score.value for score in ask_all(run)] == [0.0, 1.0]
    report = report_of(read_results([run.out], questions), questions)
    assert (report.models[0].overall.exact.value, report.suite) == (0.5, None)
    assert report.commands[0].startswith(f"longpanda longwatch run {questions.source} --model scripted")
    shutil.copy(run.out, tmp_path / "other.jsonl")
    other = written(OPEN)
    with pytest.raises(ConfigError, match="results that are not on"):
        read_results([run.out], other)
    with pytest.raises(ConfigError, match=r"questions_sha256 was '?[0-9a-f]{8}"):
        ask_all(Run(other, run.system, run.out))


def test_another_video_under_the_same_name_is_noticed(written, scripted, tmp_path):
    run = Run(written(OPEN), scripted(lambda _: "B"), tmp_path / "r.jsonl")
    ask_all(run)
    with (tmp_path / "a.mp4").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ConfigError, match=r"videos_bytes was [0-9]+ and is now"):
        ask_all(Run(OwnQuestions(run.questions.source), run.system, run.out))


def test_a_command_is_given_the_path(written, tmp_path):
    code = (
        "import json, sys\nfor line in sys.stdin: print(json.dumps({'answer': json.loads(line)['video']}), flush=True)"
    )
    questions = written(OPEN)
    (score,) = ask_all(Run(questions, CommandSystem((sys.executable, "-c", code)), tmp_path / "r.jsonl"))
    assert score.reply.text == str(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "invalid JSON"),
        (b"[1]", r"'\[1\]'; expected a JSON object"),
        (b'{"video": "a.mp4", "question": "\xff"}', "bytes that are not text"),
        (
            OPEN | {"anwser": "x"},
            "unknown key 'anwser'; expected video, question, answer, choices, id; did you mean 'answer'",
        ),
        ({"video": "a.mp4", "question": "What?"}, "no 'answer'"),
        (OPEN | {"answer": 7}, "'answer' 7; expected text in quotes"),
        (OPEN | {"answer": " ?"}, "the answer ' [?]'; expected letters or digits"),
        (OPEN | {"question": " "}, "'question' \" \""),
        (OPEN | {"video": "none.mp4"}, "no file '.*none.mp4'"),
        (OPEN | {"video": "questions.jsonl"}, "a video that cannot be read"),
        (CHOSEN | {"question": "What else?", "choices": "yes"}, 'choices "yes"; expected a list'),
        (CHOSEN | {"question": "What else?", "choices": ["no"]}, "1 choices; expected 2 to 8"),
        (CHOSEN | {"question": "What else?", "choices": ["no", "No."]}, "choices that read the same"),
        (CHOSEN | {"question": "What else?", "answer": "B"}, "the answer 'B', which is none of the choices"),
        (
            CHOSEN | {"choices": ["B", "A"], "answer": "A"},
            "the choice 'B' beside the letter A, which reads as the letter B",
        ),
        (CHOSEN, "the question of line 1 again"),
    ],
)
def test_a_mistake_is_named_by_its_line(written, line, message):
    with pytest.raises(ConfigError, match=rf"^line 2 of '.*questions.jsonl': {message}") as caught:
        written(CHOSEN, line).samples()
    assert str(caught.value).count("expected") == 1


def test_what_does_not_go_with_own_questions_is_refused(written, scripted, tmp_path):
    questions = written(OPEN)
    with pytest.raises(ConfigError, match="the only videos it can read"):
        ask_all(Run(questions, OracleSystem(), tmp_path / "r.jsonl"))
    with pytest.raises(ConfigError, match="--unverified for the videos of"):
        ask_all(Run(questions, scripted(str), tmp_path / "r.jsonl", is_unverified=True))
    with pytest.raises(ConfigError, match="no question in"):
        written(b"").samples()
    with pytest.raises(ConfigError, match=r"none.jsonl' cannot be read \(No such file"):
        questions_in(tmp_path / "none.jsonl").samples()
    assert questions_in(tmp_path) == Suite(tmp_path)


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    example = ROOT / "examples" / "questions.jsonl"
    assert f"```json\n{example.read_text()}```\n" in (ROOT / "docs" / "longwatch.md").read_text()
    for folder in ("examples", "runs"):
        (tmp_path / folder).mkdir()
    shutil.copy(example, tmp_path / "examples")
    film(generate(scene_seed(Split.DEMO, 1), 180.0), tmp_path / "runs" / "demo.mp4", size_px=96, fps=1.0)
    monkeypatch.chdir(tmp_path)
    words = ["longwatch", "run", "examples/questions.jsonl", "--model", "nano", "--out", "runs/own.jsonl"]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("own        100.0% [")
    assert len(read_records(Path("runs/own.jsonl"))[1]) == 3
    assert main(["longwatch", "report", "runs/own.jsonl", "--suite", "examples/questions.jsonl"]) == 0
    assert "| own | 100.0% [" in capsys.readouterr().out
    assert main(["longwatch", "report", "runs/own.jsonl", "--suite", words[2], "--out", words[2]]) == 2
    assert "is the file of questions" in capsys.readouterr().err
