"""The page of results and its Markdown."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from results import MEASURES, results, score

from longpanda.errors import ErrorKind
from longpanda.evaluate import colours
from longpanda.evaluate.cells import interval_text
from longpanda.evaluate.paired import pair
from longpanda.evaluate.report import Report, markdown, page
from longpanda.evaluate.summarise import summarise
from longpanda.evaluate.summary import Measure
from longpanda.types import Reply

HOSTILE = "<script>alert(1)</script>|`*\ud800"
HEADINGS = (
    "Accuracy by family and length",
    "Above chance",
    "Over all lengths",
    "Needles by depth",
    "Costs",
    "Sampling of the evidence",
    "Absent things",
    "Partial credit",
    "Failures",
    "How it was made",
)
VOID = {"meta", "img", "br", "circle", "line", "path", "polygon", "polyline"}


class _Nesting(HTMLParser):
    """What was opened and not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, _attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


def _report(scores, name="m", configuration=None, **options):
    return Report((summarise(name, configuration or {}, scores, MEASURES, **options),))


def _checked(report):
    """The page, which is well-formed and asks for nothing from elsewhere."""
    text = page(report)
    nesting = _Nesting()
    nesting.feed(text)
    assert (nesting.open, nesting.wrong) == ([], [])
    assert not re.search(r'(src|href)="(?!data:)|url\(|@import', text)
    assert not re.search(r"\bnan\b|\binf\b|None|Undefined", re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL))
    return text


def test_page_and_markdown_hold_every_part_and_the_same_numbers():
    report = _report(results((16, 8)), picture=lambda _video, _second: b"jpeg")
    text, plain = _checked(report), markdown(report)
    for title in HEADINGS:
        assert f"<h2>{title}</h2>" in text
        assert f"## {title}" in plain
    model = report.models[0]
    needle = model.families[0]
    shown = [cell for one in (*model.families, model.overall) for cell in (*one.cells, *one.above, one.averages.area)]
    for cell in [*shown, needle.averages.increasing, *needle.refusals, *(mean for _, mean in needle.partial)]:
        assert f"{cell.value:.1%}" in text
        assert interval_text(cell.interval) in text
        assert f"{cell.value:.1%} [{interval_text(cell.interval)}]" in plain
    assert text.count("data:image/jpeg;base64,anBlZw==") == sum(one.picture is not None for one in model.failures)
    assert "0.5 s" not in text
    assert "500 ms" in text
    assert "1.0 GiB" in text


def test_what_others_wrote_is_text_and_nothing_else():
    scores = [
        score(0.0, 0, family=HOSTILE, text=HOSTILE, template=HOSTILE),
        score(0.0, 1, family=HOSTILE, error=HOSTILE),
    ]
    told = Measure(HOSTILE, lambda score: score.partial)
    report = Report(
        (summarise(HOSTILE, {HOSTILE: HOSTILE}, scores, {HOSTILE: (told,)}),), (), {"level": HOSTILE}, (HOSTILE,)
    )
    text = _checked(report)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    plain, _, commands = markdown(report).rpartition("\n\n")
    assert "<script" not in plain
    assert commands == f"    {HOSTILE[:-1]}?\n", "a command is code, as it is"
    assert text.encode()
    for line in plain.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in range(3, 10), line


@pytest.mark.parametrize(
    "scores",
    [
        results((16, 8), families=("count",)),
        results((16,), minutes=(3.0,)),
        results((20,), families=("order",), minutes=(3.0,)),
        results((16, 8), told=False),
        results((0, 0)),
        results((20, 20)),
        [score(0.0, i, error="down") for i in range(3)],
        [score(1.0)],
        [score(1.0, absent=True)],
        [score(0.0, i, minutes=minutes) for minutes in (0.5, 3.0, 3.25, 3.5, 1000.0) for i in range(2)],
    ],
    ids=["family", "length", "cell", "no-cost", "wrong", "right", "errors", "one", "absent", "lengths"],
)
def test_any_results_make_a_page(scores):
    report = _report(scores)
    text, plain = _checked(report), markdown(report)
    wrong = any(one.value == 0 for one in scores)
    assert ("<h2>Failures</h2>" in text) == ("## Failures" in plain) == wrong


def test_a_perfect_and_an_empty_score_have_honest_intervals():
    assert "84 to 100%" in page(_report(results((20, 20))))
    assert "0 to 16%" in page(_report(results((0, 0))))


def test_errors_and_what_is_missing_are_said():
    failed = replace(score(0.0, 30, error="the server was down"), error_kind=ErrorKind.BUSY)
    scores = [*results((20, 20)), failed]
    report = _report(scores, missing=7)
    for text in (_checked(report), markdown(report)):
        assert "1 error" in text
        assert "With and without errors" in text
        assert "the system was busy for longer than the patience" in text
        assert "the server was down" in text
        assert "Not asked yet: 7 questions of the suite." in text
    assert "| needle | 97.6% [" in markdown(report)
    assert "| 100.0% [91 to 100%] | 1 |" in markdown(report)
    assert "right among answered" in page(report)
    one = _report([score(1.0)], missing=1)
    for text in (_checked(one), markdown(one)):
        assert "1 question about 1 video of 3 min" in text
        assert "Not asked yet: 1 question of the suite." in text
    whole = page(_report(results((20, 20))))
    assert "Not asked yet" not in page(_report(scores))
    for title in ("With and without errors", "Error messages", "right among answered"):
        assert title not in whole


def test_errors_alone_are_no_result():
    failed = [score(0.0, i, minutes=minutes, error="the server was down") for i in range(3) for minutes in (3.0, 9.0)]
    report = _report(failed)
    text, plain = _checked(report), markdown(report)
    for shown in (text, plain):
        assert "No question got an answer: there is no result yet." in shown
        assert "the server was down" in shown
        assert "Accuracy by family and length" not in shown
        body = re.sub(r"<style>.*?</style>", "", shown, flags=re.DOTALL)
        assert not re.search(r"\d%(?!;)", body), "no share of anything, but for widths"
    assert re.search(r"<dt>errors</dt><dd>6<small>of 6 questions</small></dd>", text)
    assert "above chance" not in text
    assert "Some questions without an answer" in text


def test_some_errors_are_said_above_all_numbers():
    report = _report([score(1.0), score(1.0, 1), score(0.0, 2, error="the server was down")])
    for shown in (_checked(report), markdown(report)):
        assert "Without an answer: 1 of 3 questions, which count as wrong." in shown
        assert "no result yet" not in shown
        assert "Accuracy by family and length" in shown


def test_beside_a_model_that_answered_nothing_the_other_stands_alone():
    first, second = results((8, 8)), [replace(one, value=0.0, error="down") for one in results((8, 8))]
    models = tuple(summarise(name, {}, scores, MEASURES) for name, scores in (("one", first), ("two", second)))
    report = Report(models, pair(first, second))
    text = _checked(report)
    assert "two minus one" not in text
    assert text.count("No question got an answer") == 1
    assert '<g class="m1">' not in text
    assert [model for section in report.sections for model, _ in section.tables if model == "two"] == ["two"] * 2


def test_costs_that_nobody_told_have_no_column():
    assert "| length | right | frames | visual tokens | seconds | peak memory |" in markdown(_report(results()))
    told = [replace(score(1.0), reply=Reply("7", prompt_tokens=90, answer_tokens=4))]
    assert "| length | right | prompt tokens | answer tokens |" in markdown(_report(told))


def test_films_that_were_not_checked_are_said():
    report = _report(results(), configuration={"unverified": True})
    for text in (_checked(report), markdown(report)):
        assert "The videos were not checked against" in text
    assert "The videos were not checked against" not in _checked(_report(results()))


def test_two_models_are_compared_on_one_page():
    first, second = results((8, 8)), results((16, 8))
    models = tuple(summarise(name, {}, scores, MEASURES) for name, scores in (("one", first), ("two", second)))
    report = Report(models, pair(first, second))
    text, plain = _checked(report), markdown(report)
    difference = report.paired[0].found
    for shown in (text, plain):
        assert "two minus one" in shown
        assert f"{100 * difference.difference:+.1f}" in shown
    assert len(re.findall(r'<td class="strip">', text)) == len(report.paired) == 5
    assert '<g class="m1">' in text
    assert "minus" not in page(Report(models[:1]))


def test_the_configuration_and_the_commands_are_in_full():
    report = Report(
        (summarise("m", {"model": "nano", "frames": None}, [score(1.0)], MEASURES),),
        suite={"minutes": [3.0], "level": "steady"},
        commands=("longpanda longwatch run 'a b'",),
    )
    for text in (_checked(report), markdown(report)):
        for word in ("model", "nano", "frames", "null", "level", "steady", "[3.0]"):
            assert word in text.replace("\\", "")
    assert "longpanda longwatch run &#39;a b&#39;" in page(report)


@pytest.mark.parametrize("ramp", [colours.LIGHT, colours.DARK], ids=["light", "dark"])
def test_text_can_be_read_on_every_shade_and_more_is_never_the_same(ramp):
    shades = [colours.shade(share / 200, ramp) for share in range(201)]
    assert min(colours.contrast(ink, background) for background, ink in shades) >= 4.5
    to_page = [colours.contrast(background, ramp[0]) for background, _ in shades]
    assert all(one < other for one, other in zip(to_page[::5], to_page[5::5], strict=False))
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
