import re

from longpanda.errors import VideoError
from longpanda.evaluate.report import comparison, markdown, page
from longpanda.types import Reply, Sample, Score

CHANCES = {"needle": 0.15, "count": 0.2}


def _scores(right):
    scores = []
    for number in range(40):
        family, minutes = ("needle", "count")[number % 2], (3.0, 120.0)[number // 20]
        absent = {"absent": True} if number % 8 == 0 else {}
        spans = () if absent else ((60.0, 70.0),)
        sample = Sample(
            f"q{number}", "7", family, f"v{number // 4}", spans, {"minutes": minutes, "depth": 0.3, **absent}
        )
        reply = Reply("7" if number < right else "<script>alert(1)</script>", (65.0, 90.0), 24, 0.5, 2**30)
        scores.append(Score(float(number < right), reply, sample))
    return scores


def test_a_page_holds_every_part_and_escapes_what_models_say():
    text = page("a <model>", {"frames": None, "model": "m"}, _scores(30), CHANCES, lambda _video, _second: b"jpeg")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "a &lt;model&gt;" in text
    for title in ("Length by family", "How deep", "What it cost", "sampler saw", "never happened", "Some failures"):
        assert title in text
    assert text.count("data:image/jpeg;base64,anBlZw==") == 10 - sum(number % 8 == 0 for number in range(30, 40))
    assert not re.search(r'(src|href)="(?!data:)', text), "not self-contained"


def test_a_picture_that_cannot_be_had_is_said():
    def lost(_video, _second):
        raise VideoError("no film", "one", "make it")

    assert "no film" in page("m", {}, _scores(0), CHANCES, lost)
    assert "<img" not in page("m", {}, _scores(0), CHANCES)


def test_a_perfect_result_has_no_failures():
    assert "Some failures" not in page("m", {}, _scores(40), CHANCES)


def test_the_markdown_table_has_lengths_and_effective_lengths():
    lines = markdown(_scores(25), CHANCES).splitlines()
    assert lines[0].split(" | ")[:3] == ["| family", "3 min", "120 min"]
    assert lines[2].startswith("| needle | 100% [")
    assert lines[2].endswith("| 15% | 3 min | 3 min |")


def test_a_comparison_is_overall_and_by_family():
    lines = comparison("one", "two", _scores(20), _scores(30)).splitlines()
    assert "two minus one" in lines[0]
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| all", "| count", "| needle"]
    assert "+25.0%" in lines[2]


def test_errors_and_one_kind_of_questions_are_shown_and_no_reason_to_fail():
    scores = [Score(0.0, Reply(""), score.sample, "the server was down") for score in _scores(0)]
    assert "10 errors" in markdown(scores, CHANCES)
    assert "the server was down" in page("m", {}, scores, CHANCES)
    absent = [score for score in scores if score.sample.metadata.get("absent")]
    assert "never happened" not in page("m", {}, absent, CHANCES)
