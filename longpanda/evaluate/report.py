"""A file of results as one page: where a model holds, how deep, at what cost, and what it got wrong."""

import base64
import html
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from longpanda.errors import LongPandaError
from longpanda.evaluate.analysis import (
    ABSOLUTE_BAR,
    DEPTH_EDGES,
    RELATIVE_BAR,
    by_depth,
    cells,
    compare,
    coverage,
    covered,
    effective_minutes,
    grouped,
    refusal,
)
from longpanda.evaluate.circular import by_question, cells_of, has_options, letter_use
from longpanda.evaluate.metrics import Accuracy, accuracy
from longpanda.types import Score

Picture = Callable[[str, float], bytes]
"""From a video's name and a second to a JPEG."""

FAILURES: Final = 12
STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2430; }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
p, figcaption { color: #4b5563 } table { border-collapse: collapse; margin: .6rem 0 }
th, td { padding: .3rem .7rem; text-align: right; border: 1px solid #e5e7eb; font-variant-numeric: tabular-nums }
th:first-child, td:first-child { text-align: left } th { font-weight: 600; background: #f8fafc }
td small { display: block; color: inherit; opacity: .75; font-size: .75rem }
.failures { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem }
figure { margin: 0; border: 1px solid #e5e7eb; padding: .6rem; border-radius: 6px }
figure img { width: 100%; display: block } figcaption b { color: #1c2430 }
"""


def page(
    name: str,
    configuration: dict[str, Any],
    scores: Sequence[Score],
    chances: dict[str, float],
    picture: Picture | None = None,
    askings: Sequence[Score] = (),
) -> str:
    """One self-contained HTML page.

    Args:
        name: of what was measured.
        configuration: of the results.
        scores: the results.
        chances: what guessing scores, by family.
        picture: shows a moment of a video; without it, failures have no pictures.
        askings: of questions with options, what was said to each rotation.
    """
    videos = len({score.sample.video for score in scores})
    parts = [
        f"<h1>{_text(name)}</h1>",
        f"<p>{len(scores)} questions about {videos} videos. {_text(_settings(configuration))}</p>",
        _section("With options, in every rotation", _ROTATIONS, _rotations(askings)),
        _section(
            "Length by family", "Right answers with 95 % intervals clustered by video.", _heat_map(scores, chances)
        ),
        _section("How deep the needle lies", "Right answers by where in the video the card is shown.", _depths(scores)),
        _section("What it cost", "Means over the answers of one length.", _costs(scores)),
        _section("What the sampler saw", _SAMPLER, _sampler(scores)),
        _section("What never happened", _REFUSAL, _refusals(scores)),
        _section("Some failures", "A frame of the evidence, where there is one.", _failures(scores, picture)),
    ]
    title = f"<title>{_text(name)}: LongWatch</title>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{title}<style>{STYLE}</style>{"".join(parts)}</html>\n'
    )


_SAMPLER: Final = (
    "A question is covered when a frame was looked at in every interval of its evidence. What is wrong although it is "
    "covered is the model's error; the rest may be the sampler's."
)
_ROTATIONS: Final = (
    "Every question has lettered options and is asked once for each place of the right one. Plain: the mean of all "
    "rotations. Circular: right in all of them, as in the rest of this page; 0 for whoever always takes the same "
    "letter. Whoever goes by the options' words alone, such as the smallest number, gets chance in both."
)
_REFUSAL: Final = "Refused: share of the questions about absent things answered 'never'. False alarms: of the others."


def markdown(scores: Sequence[Score], chances: dict[str, float]) -> str:
    """The table of lengths by family as Markdown, with effective lengths."""
    return _markdown_table(*_length_table(scores, chances))


def _markdown_table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---", *["---:"] * (len(head) - 1)], *rows]]
    return "\n".join(lines) + "\n"


def rotations(askings: Sequence[Score]) -> str:
    """Plain and circular accuracy and how often each letter was chosen as Markdown; "" without options."""
    return "\n".join(_markdown_table(*table) for table in _rotation_tables(askings))


def comparison(first: str, second: str, one: Sequence[Score], other: Sequence[Score]) -> str:
    """Two results on the same questions, as Markdown: overall and by family."""
    lines = [f"| family | {second} minus {first} | 95 % interval | questions | videos |", "|---|---:|---:|---:|---:|"]
    names = {score.sample.family for score in one} & {score.sample.family for score in other}
    for name in ["all", *sorted(names)]:
        mine, theirs = ([s for s in scores if name in ("all", s.sample.family)] for scores in (one, other))
        found = compare(mine, theirs)
        low, high = found.interval
        lines.append(
            f"| {name} | {found.difference:+.1%} | {low:+.1%} to {high:+.1%} | {found.questions} | {found.videos} |"
        )
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return html.escape(str(value))


def _settings(configuration: dict[str, Any]) -> str:
    return "; ".join(
        f"{name} {value}" for name, value in configuration.items() if value is not None and value is not False
    )


def _section(title: str, about: str, body: str) -> str:
    return f"<h2>{_text(title)}</h2><p>{_text(about)}</p>{body}" if body else ""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are HTML: `<td>...</td>`, or text that becomes one."""
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def _shade(one: Accuracy | None) -> str:
    """A cell that is darker the more is right."""
    if one is None:
        return "<td></td>"
    low, high = one.interval
    colour = "#fff" if one.value > 0.55 else "#1c2430"
    light = 97 - 57 * one.value
    style = f"background:hsl(215 60% {light:.0f}%);color:{colour}"
    errors = f", {one.errors} errors" if one.errors else ""
    inner = f"{one.value:.0%}<small>{low:.0%} to {high:.0%}{errors}</small>"
    return f'<td style="{style}" title="{one.questions} questions">{inner}</td>'


def _minutes(scores: Sequence[Score]) -> list[float]:
    return sorted({score.sample.metadata["minutes"] for score in scores})


def _heat_map(scores: Sequence[Score], chances: dict[str, float]) -> str:
    table, minutes = cells(scores), _minutes(scores)
    head, rows = _length_table(scores, chances)
    shaded = [[_shade(table.get((row[0], length))) for length in minutes] for row in rows]
    return _table(
        head, [[_text(row[0]), *cells_, *row[1 + len(minutes) :]] for row, cells_ in zip(rows, shaded, strict=True)]
    )


def _length(minutes: float) -> str:
    return f"{minutes:g} min" if minutes else "none"


def _length_table(scores: Sequence[Score], chances: dict[str, float]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows: accuracy at each length, chance, and effective lengths."""
    table, minutes = cells(scores), _minutes(scores)
    rows = []
    for family in dict.fromkeys(score.sample.family for score in scores):
        chance = chances[family]
        lengths = [_length(effective_minutes(table, family, chance, bar)) for bar in (None, ABSOLUTE_BAR)]
        shown = [_accuracy(table.get((family, length))) for length in minutes]
        rows.append([family, *shown, f"{chance:.0%}", *lengths])
    effective = (f"effective at {RELATIVE_BAR:.0%} above chance", f"effective at {ABSOLUTE_BAR:.0%}")
    return ["family", *(f"{length:g} min" for length in minutes), "chance", *effective], rows


def _accuracy(one: Accuracy | None) -> str:
    if one is None:
        return ""
    errors = f", {one.errors} errors" if one.errors else ""
    return f"{one.value:.0%} [{one.interval[0]:.0%}, {one.interval[1]:.0%}]{errors}"


def _rotations(scores: Sequence[Score]) -> str:
    return "".join(_table(*table) for table in _rotation_tables(scores))


def _rotation_tables(scores: Sequence[Score]) -> list[tuple[list[str], list[list[str]]]]:
    """Head and rows of plain and circular accuracy, and of the letters; no table where questions had no options."""
    if not has_options(scores):
        return []
    rotated = by_question(scores)
    rows = []
    for cell in cells_of(rotated):
        options = " to ".join(str(count) for count in dict.fromkeys(cell.options))
        accuracies = (_accuracy(cell.plain), _accuracy(cell.circular))
        rows.append([cell.family, f"{cell.minutes:g} min", options, str(cell.plain.questions), *accuracies])
    if rotated.unfinished:
        rows.append([f"not asked in all rotations: {rotated.unfinished} questions", *[""] * 5])
    letters = [[one.letter, f"{one.chosen:.1%}", f"{one.right:.1%}"] for one in letter_use(scores)]
    head = ["family", "length", "options", "questions", "plain", "circular"]
    return [(head, rows), (["letter", "chosen", "right"], letters)]


def _depths(scores: Sequence[Score]) -> str:
    table = by_depth(scores)
    if not table:
        return ""
    edges = list(pairwise(DEPTH_EDGES))
    rows = [[f"{length:g} min", *(_shade(table.get((length, low))) for low, _ in edges)] for length in _minutes(scores)]
    return _table(["length", *(f"{low:.0%} to {high:.0%}" for low, high in edges)], rows)


def _costs(scores: Sequence[Score]) -> str:
    rows = []
    for minutes, group in sorted(grouped(scores, lambda score: score.sample.metadata["minutes"]).items()):
        replies = [score.reply for score in group]
        means = [
            _mean([float(len(reply.frames_seconds)) for reply in replies if reply.frames_seconds], "{:.0f}"),
            _mean([float(reply.visual_tokens) for reply in replies if reply.visual_tokens is not None], "{:,.0f}"),
            _mean([reply.seconds for reply in replies if reply.seconds is not None], "{:.2f} s"),
            _mean([reply.peak_memory_bytes / 2**20 for reply in replies if reply.peak_memory_bytes], "{:,.0f} MiB"),
        ]
        rows.append([f"{minutes:g} min", _accuracy(accuracy(group)), *means])
    return _table(["length", "right", "frames", "visual tokens", "time for an answer", "peak memory"], rows)


def _mean(values: list[float], form: str) -> str:
    return form.format(float(np.mean(values))) if values else "not told"


def _sampler(scores: Sequence[Score]) -> str:
    rows = []
    for minutes, group in sorted(grouped(scores, lambda score: score.sample.metadata["minutes"]).items()):
        share = coverage(group)
        if share is None:
            continue
        sides = [[score for score in group if covered(score) is side] for side in (True, False)]
        rights = [_accuracy(accuracy(side)) if side else "none" for side in sides]
        rows.append([f"{minutes:g} min", f"{share:.1%}", *rights])
    return _table(["length", "covered", "right where covered", "right where not"], rows) if rows else ""


def _refusals(scores: Sequence[Score]) -> str:
    rows = []
    for family, group in grouped(scores, lambda score: score.sample.family).items():
        if len({bool(score.sample.metadata.get("absent")) for score in group}) == 2:
            refused, alarms = refusal(group)
            rows.append([_text(family), f"{refused:.1%}", f"{alarms:.1%}"])
    return _table(["family", "refused", "false alarms"], rows) if rows else ""


def _failures(scores: Sequence[Score], picture: Picture | None) -> str:
    wrong = list(grouped([s for s in scores if s.value == 0], lambda score: score.sample.family).values())
    rounds = [group[turn] for turn in range(max(map(len, wrong), default=0)) for group in wrong if turn < len(group)]
    return (
        '<div class="failures">' + "".join(_failure(score, picture) for score in rounds[:FAILURES]) + "</div>"
        if rounds
        else ""
    )


def _failure(score: Score, picture: Picture | None) -> str:
    sample, image = score.sample, ""
    if picture is not None and sample.evidence_seconds:
        start, end = sample.evidence_seconds[-1]
        try:
            jpeg = base64.b64encode(picture(sample.video, (start + end) / 2)).decode()
            image = (
                f'<img alt="{_text(sample.video)} at {(start + end) / 2:.0f} s" src="data:image/jpeg;base64,{jpeg}">'
            )
        except LongPandaError as error:
            image = f"<p>{_text(error)}</p>"
    said = _text(score.error or score.reply.text or "nothing")
    where = f"{_text(sample.family)}, {sample.metadata['minutes']:g} min"
    return (
        f"<figure>{image}<figcaption>{where}<br><b>{_text(sample.question)}</b><br>said: {said}<br>"
        f"true: {_text(sample.target)}</figcaption></figure>"
    )
