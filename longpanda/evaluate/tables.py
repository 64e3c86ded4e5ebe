"""The tables of a report, shared by its HTML and Markdown forms."""

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
    """A section of the report.

    Args:
        key: identifier by which the HTML page places charts.
        title: the heading.
        about: how to read the tables.
        tables: (model, table) for every model that has one; the model is "" for a table about all.
    """

    key: str
    title: str
    about: str
    tables: tuple[tuple[str, Table], ...]


def sections(models: Sequence[Summary], paired: Sequence[Paired] = ()) -> tuple[Section, ...]:
    """Return all sections for which the results have data.

    A model that answered nothing appears only in the sections about errors.
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
    """Return the main figures, each with its name in `about`; if nothing was answered, only the number of errors."""
    mean, overall = model.overall.averages.mean, model.overall
    errors = Cell(f"{overall.exact.errors:,}", f"of {counted(overall.exact.questions, 'question')}", about="errors")
    if not model.is_answered:
        return (errors,)
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
        found.append(Cell(percent_text(overall.answered.value), note, about="right among answered"))
    return (*found, errors)


def _two(models: Sequence[Summary]) -> tuple[str, str]:
    return models[-1].name, models[0].name


def _heat(row: tuple[Accuracy | None, ...]) -> tuple[Cell, ...]:
    return tuple(share_cell(one, is_shaded=True) for one in row)


def _with_errors(row: tuple[Accuracy | None, ...]) -> tuple[Cell, ...]:
    """Return a row with the numbers of errors, which only the first table shows."""
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
    reported = [
        (place, name)
        for place, (name, _) in enumerate(COSTS)
        if any(one.costs[place] is not None for one in model.lengths)
    ]
    rows = []
    for one in model.lengths:
        values = ((name, one.costs[place]) for place, name in reported)
        costs = (Cell("not reported" if value is None else cost_text(name, value)) for name, value in values)
        rows.append((Cell(length_text(one.minutes)), share_cell(one.right), *costs))
    return Table(("length", "right", *(name for _, name in reported)), tuple(rows))


def _sampler(model: Summary) -> Table:
    known = [one for one in model.lengths if one.covered is not None]
    rows = (
        (Cell(length_text(one.minutes)), *map(share_cell, (one.covered, one.right_covered, one.right_uncovered)))
        for one in known
    )
    return Table(("length", "evidence covered", "right if covered", "right if not covered"), tuple(rows))


def _absent(model: Summary) -> Table:
    known = ((one.name, one.refusals) for one in model.rows if one.refusals is not None)
    rows = ((Cell(name), share_cell(refused), share_cell(alarms)) for name, (refused, alarms) in known)
    return Table(("family", "refused if absent", "false alarms"), tuple(rows))


def _partial(model: Summary) -> Table:
    known = ((one, what, mean) for one in model.families for what, mean in one.partial)
    rows = ((Cell(one.name), share_cell(one.exact), share_cell(mean), Cell(what)) for one, what, mean in known)
    return Table(("family", "exact", "partial", "kind of partial mark"), tuple(rows))


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
"""Sections about errors."""
_PAIRED: Final = "{} minus {}"
_PAIRED_ABOUT: Final = (
    "Both answered the same questions, so that easy and hard ones cancel out. The 95% intervals come from resampling "
    "clusters of videos, and are too narrow with fewer than ten clusters. A difference whose interval excludes 0 is "
    "significant, but one row in twenty is so by chance."
)
_PARTS: Final[tuple[tuple[str, str, str, Callable[[Summary], Table]], ...]] = (
    (
        "lengths",
        "Accuracy by family and length",
        "Share of exactly right answers with 95% intervals clustered by video; the videos of one script at several "
        "lengths are one cluster. A question without an answer counts as wrong. Chance is the accuracy of the best "
        "constant answer to each template on these questions; for times, this may be the interval that is best for the "
        "other scripts.",
        _lengths,
    ),
    ("above", "Above chance", "The same, rescaled so that chance is 0% and all right is 100%.", _above),
    (
        "averages",
        "Over all lengths",
        "Mean: all lengths have the same weight. Area: under the curve over the logarithm of the length. Weighted "
        "averages as in RULER, with weights 1, 2, 3, ... from the shortest length up (longer weigh more) or from the "
        f"longest down. Effective length: the longest up to which every length keeps {RELATIVE_BAR:.0%} of the way "
        f"from chance to the score at the shortest, or has {ABSOLUTE_BAR:.0%} right; none if the shortest is not "
        "significantly above chance.",
        _averages,
    ),
    ("depths", "Needles by depth", "Share of needles found, by the position of the card in the video.", _depths),
    (
        "costs",
        "Costs",
        "Means over the answers at one length, without errors; for peak memory, the maximum. Costs that no answer "
        "reports are left out.",
        _costs,
    ),
    (
        "sampler",
        "Sampling of the evidence",
        "Evidence is covered if a frame was sampled in every interval of it. A wrong answer despite covered evidence "
        "is an error of the model; others may be due to the sampling. Questions without evidence are left out.",
        _sampler,
    ),
    (
        "absent",
        "Absent things",
        "Some questions are about things that are never shown. Refused: share of these that were answered 'never'. "
        "False alarms: share of the other questions that were answered 'never'.",
        _absent,
    ),
    (
        "partial",
        "Partial credit",
        "Exact and partial marks. For times, there is also a mark for both ends being near, which does not get harder "
        "with the length of the video. Intervals of partial marks are computed as for shares, so they may be too wide.",
        _partial,
    ),
    (
        "rotations",
        "Options in every rotation",
        "Every question has lettered options and is asked once for each position of the right one. Plain: the mean "
        "over all rotations. Circular: right in all of them, as in the rest of this page; always choosing the same "
        "letter gives 0. Choosing by the options' words alone, such as the smallest number, gives chance in both.",
        _rotations,
    ),
    ("letters", "Letters", "How often each letter was chosen, and how often it is right.", _letters),
    (
        "answered",
        "With and without errors",
        "A question without an answer counts as wrong everywhere else on this page. This table also has the accuracy "
        "over the answered questions alone, where a model that answers only easy questions looks better.",
        answered_table,
    ),
    ("errors", "Errors", "Why questions have no answer. Run the command again to ask them again.", kinds_table),
    ("messages", "Error messages", "The most frequent messages first.", messages_table),
)
