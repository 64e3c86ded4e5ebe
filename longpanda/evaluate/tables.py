"""The tables of a page of results, in words: HTML and Markdown are made of the same ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from longpanda.errors import counted
from longpanda.evaluate.analysis import ABSOLUTE_BAR, RELATIVE_BAR, above_chance
from longpanda.evaluate.cells import (
    Cell,
    Table,
    cost_text,
    errors_text,
    interval_text,
    length_text,
    percent_text,
    share_cell,
)
from longpanda.evaluate.error_tables import answered_table, kinds_table, messages_table
from longpanda.evaluate.metrics import Accuracy
from longpanda.evaluate.paired import Paired
from longpanda.evaluate.summary import COSTS, Summary


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Args:
        key: what the page places charts by.
        title: its heading.
        about: how to read it.
        tables: (model, table) of every model that has one; the model is "" for what is about all.
    """

    key: str
    title: str
    about: str
    tables: tuple[tuple[str, Table], ...]


def sections(models: Sequence[Summary], paired: Sequence[Paired] = ()) -> tuple[Section, ...]:
    """Everything that can be said in tables; what a file of results knows nothing of is left out.

    Of a model that answered nothing, that is everything but what went wrong.
    """
    parts = []
    if paired and all(model.is_answered for model in models):
        parts = [Section("paired", _PAIRED.format(*_two(models)), _PAIRED_ABOUT, (("", _pairs(paired)),))]
    for key, title, about, make in _PARTS:
        known = (model for model in models if model.is_answered or key in _OF_ERRORS)
        made = tuple((model.name if len(models) > 1 else "", table) for model in known if (table := make(model)).rows)
        if made:
            parts.append(Section(key, title, about, made))
    return tuple(parts)


def tiles(model: Summary) -> tuple[Cell, ...]:
    """What one wants to know first; `about` names each. Where nothing was answered, that is all there is to know."""
    mean, overall = model.overall.averages.mean, model.overall
    told = Cell(f"{overall.exact.errors:,}", f"of {counted(overall.exact.questions, 'question')}", about="errors")
    if not model.is_answered:
        return (told,)
    found = [Cell(percent_text(mean.value), interval_text(mean.interval), about="right, mean over lengths")]
    if (above := above_chance(mean, overall.chance)) is not None:
        note = f"{interval_text(above.interval)}; chance is {percent_text(overall.chance)}"
        found.append(Cell(percent_text(above.value), note, about="above chance"))
    if len(model.minutes) > 1:
        note = f"{length_text(overall.effective_minutes)} over all families"
        best = sum(one.effective_minutes == model.minutes[-1] for one in model.families)
        text = f"{best} of {len(model.families)}"
        found.append(Cell(text, note, about=f"families holding up to {length_text(model.minutes[-1])}"))
    if overall.refusals is not None:
        refused, alarms = overall.refusals
        note = f"{percent_text(alarms.value)} false alarms"
        found.append(Cell(percent_text(refused.value), note, about="absent things refused"))
    if overall.exact.errors and overall.answered is not None:
        note = interval_text(overall.answered.interval)
        found.append(Cell(percent_text(overall.answered.value), note, about="right of what was answered"))
    return (*found, told)


def _two(models: Sequence[Summary]) -> tuple[str, str]:
    return models[-1].name, models[0].name


def _heat(row: tuple[Accuracy | None, ...]) -> tuple[Cell, ...]:
    return tuple(share_cell(one, is_shaded=True) for one in row)


def _with_errors(row: tuple[Accuracy | None, ...]) -> tuple[Cell, ...]:
    """The row of the table where errors are told: every other one counts the same."""
    cells = zip(_heat(row), row, strict=True)
    return tuple(cell if one is None else replace(cell, note=cell.note + errors_text(one)) for cell, one in cells)


def _lengths(model: Summary) -> Table:
    rows = tuple((Cell(one.name), *_with_errors(one.cells), Cell(percent_text(one.chance))) for one in model.rows)
    return Table(("family", *map(length_text, model.minutes), "chance"), rows)


def _above(model: Summary) -> Table:
    rows = tuple((Cell(one.name), *_heat(one.above)) for one in model.rows)
    return Table(("family", *map(length_text, model.minutes)), rows)


def _averages(model: Summary) -> Table:
    head = ("family", "mean", "area", "longer weigh more", "shorter weigh more")
    bars = (f"effective, {RELATIVE_BAR:.0%} kept", f"effective, {ABSOLUTE_BAR:.0%} right")
    rows = []
    for one in model.rows:
        means = (one.averages.mean, one.averages.area, one.averages.increasing, one.averages.decreasing)
        lengths = (Cell(length_text(minutes)) for minutes in (one.effective_minutes, one.absolute_minutes))
        rows.append((Cell(one.name), *map(share_cell, means), *lengths))
    return Table((*head, *bars), tuple(rows))


def _depths(model: Summary) -> Table:
    rows = tuple((Cell(f"{one.low:.0%} to {one.high:.0%}"), *_heat(one.cells)) for one in model.depths)
    return Table(("depth", *map(length_text, model.minutes)), rows)


def _costs(model: Summary) -> Table:
    told = [
        (place, name)
        for place, (name, _) in enumerate(COSTS)
        if any(one.costs[place] is not None for one in model.lengths)
    ]
    rows = []
    for one in model.lengths:
        values = ((name, one.costs[place]) for place, name in told)
        costs = (Cell("not told" if value is None else cost_text(name, value)) for name, value in values)
        rows.append((Cell(length_text(one.minutes)), share_cell(one.right), *costs))
    return Table(("length", "right", *(name for _, name in told)), tuple(rows))


def _sampler(model: Summary) -> Table:
    known = [one for one in model.lengths if one.covered is not None]
    rows = (
        (Cell(length_text(one.minutes)), *map(share_cell, (one.covered, one.right_covered, one.right_uncovered)))
        for one in known
    )
    return Table(("length", "evidence seen", "right where seen", "right where not seen"), tuple(rows))


def _absent(model: Summary) -> Table:
    known = ((one.name, one.refusals) for one in model.rows if one.refusals is not None)
    rows = ((Cell(name), share_cell(refused), share_cell(alarms)) for name, (refused, alarms) in known)
    return Table(("family", "refused where absent", "false alarms"), tuple(rows))


def _partial(model: Summary) -> Table:
    known = ((one, what, mean) for one in model.families for what, mean in one.partial)
    rows = ((Cell(one.name), share_cell(one.exact), share_cell(mean), Cell(what)) for one, what, mean in known)
    return Table(("family", "exact", "partial", "partial marks are"), tuple(rows))


def _rotations(model: Summary) -> Table:
    head = ("family", "length", "options", "plain", "circular")
    if model.options is None:
        return Table(head, ())
    rows = []
    for one in model.options.cells:
        fewest, most = one.options
        count = str(most) if fewest == most else f"{fewest} to {most}"
        cells = (Cell(length_text(one.minutes)), Cell(count), share_cell(one.plain), share_cell(one.circular))
        rows.append((Cell(one.family), *cells))
    return Table(head, tuple(rows))


def _letters(model: Summary) -> Table:
    letters = () if model.options is None else model.options.letters
    rows = ((Cell(one.letter), Cell(percent_text(one.chosen)), Cell(percent_text(one.right))) for one in letters)
    return Table(("letter", "chosen", "right"), tuple(rows))


def _pairs(paired: Sequence[Paired]) -> Table:
    rows = []
    for one in paired:
        found = one.found
        text = f"{100 * found.difference:+.1f}".replace("-", "−")
        counts = (found.gained, found.lost, found.questions, found.videos)
        difference = Cell(text, interval_text(found.interval, "+.1f").removesuffix("%"))
        rows.append((Cell(one.name), difference, *(Cell(f"{count:,}") for count in counts)))
    return Table(("", "points", "only second right", "only first right", "questions", "clusters"), tuple(rows))


_OF_ERRORS: Final = ("errors", "messages")
"""Parts that say why there is no answer."""
_PAIRED: Final = "{} minus {}"
_PAIRED_ABOUT: Final = (
    "The same questions asked of both, so that what is easy or hard about them cancels. Intervals are 95%, from "
    "resampling clusters of videos, and too narrow where there are fewer than ten; one that does not reach 0 is a "
    "difference, but of twenty rows one strays."
)
_PARTS: Final[tuple[tuple[str, str, str, Callable[[Summary], Table]], ...]] = (
    (
        "lengths",
        "Accuracy by family and length",
        "Share of exactly right answers with 95% intervals clustered by video; one script at several lengths is one "
        "cluster. A question without an answer counts as wrong. Chance is what the best constant answer to each "
        "template earns on these questions; of times also an interval, the best one for the other scripts.",
        _lengths,
    ),
    ("above", "Above chance", "The same, where guessing is 0 and all right is 100%.", _above),
    (
        "averages",
        "Over all lengths",
        "Mean: every length weighs the same. Area: under the curve over the logarithm of the length. Weighted averages "
        "as RULER has them, with weights 1, 2, 3, ... from the shortest length on (longer weigh more) or from the "
        f"longest on. Effective length: the longest up to which every length keeps {RELATIVE_BAR:.0%} of the way from "
        f"chance to the score at the shortest, or has {ABSOLUTE_BAR:.0%} right; none where the shortest is not surely "
        "above chance.",
        _averages,
    ),
    ("depths", "Where the needle lies", "Needles found, by where in the video the card is shown.", _depths),
    (
        "costs",
        "What it cost",
        "Means over the answers of one length, without errors; of peak memory the largest. What nobody told is "
        "left out.",
        _costs,
    ),
    (
        "sampler",
        "What the sampler saw",
        "Evidence is seen when a frame was looked at in every interval of it. What is wrong although it was seen is "
        "the model's error; the rest may be the sampler's. Questions without evidence are left out.",
        _sampler,
    ),
    (
        "absent",
        "What never happened",
        "Some questions are about things that are never shown. Refused: share of those answered 'never'. False alarms: "
        "share of the others answered so.",
        _absent,
    ),
    (
        "partial",
        "How near the wrong ones came",
        "Exact marks beside partial ones, and of times beside both ends being near, which a longer video does not make "
        "harder. Intervals of partial ones are those of shares, so they are at most too wide.",
        _partial,
    ),
    (
        "rotations",
        "With options, in every rotation",
        "Every question has lettered options and is asked once for each place of the right one. Plain: the mean of all "
        "rotations. Circular: right in all of them, as in the rest of this page; 0 for whoever always takes the same "
        "letter. Whoever goes by the options' words alone, such as the smallest number, gets chance in both.",
        _rotations,
    ),
    ("letters", "Letters", "How often each letter was chosen, and how often it is right.", _letters),
    (
        "answered",
        "With and without errors",
        "A question without an answer counts as wrong everywhere else on this page. Here are the questions that got an "
        "answer by themselves, too: a model that answers only what is easy looks better there.",
        answered_table,
    ),
    ("errors", "Errors", "What kept questions from an answer. Run again to ask them again.", kinds_table),
    ("messages", "Messages of errors", "What was said of them, the most frequent first.", messages_table),
)
